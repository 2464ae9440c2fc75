"""Reasons to disconnect: unique, with a public code, and whether a client may reconnect."""

from __future__ import annotations

import json

import pytest

from parlour.protocol.access_tokens import AccessTokenRefused
from parlour.realtime import disconnects
from parlour.realtime.disconnects import CLOSES, REFUSALS, Disconnect
from parlour.vocabulary.errors import CATALOGUE

# What the official JavaScript client does when it is rejected, or closed, with a number.
ENDS_WHEN_REFUSED = {401, 403}
ENDS_WHEN_CLOSED = {401, 406, 410, 417}
# The hosted service's own codes that no public list has.
UNLISTED = {51207, 51232}

NAMED = {name: each for name, each in vars(disconnects).items() if isinstance(each, Disconnect)}


def test_every_reason_is_a_named_constant_and_of_one_kind() -> None:
    assert len(NAMED) == len(REFUSALS) + len(CLOSES)
    assert set(NAMED.values()) == {*REFUSALS, *CLOSES}
    assert all(name.isupper() for name in NAMED)


@pytest.mark.parametrize("name", NAMED)
def test_the_reconnect_flag_matches_the_official_client(name: str) -> None:
    reason = NAMED[name]
    ends = ENDS_WHEN_REFUSED if reason in REFUSALS else ENDS_WHEN_CLOSED
    assert reason.may_return == (reason.code not in ends)


@pytest.mark.parametrize("name", NAMED)
def test_a_reason_has_a_known_code_and_words(name: str) -> None:
    reason = NAMED[name]
    assert reason.error_code is None or reason.error_code in {*CATALOGUE, *UNLISTED}
    assert reason.description
    assert reason.status == reason.status.upper().replace(" ", "_")
    assert 300 <= reason.code < 600


@pytest.mark.parametrize("name", NAMED)
def test_a_reason_is_encoded_as_in_a_frame(name: str) -> None:
    reason = NAMED[name]
    fields = reason.status_fields()
    assert fields["code"] == reason.code
    assert fields["status"] == reason.status
    assert fields["description"] == reason.description
    assert fields.get("errorCode") == reason.error_code


def test_only_reconnectable_reasons_have_a_backoff() -> None:
    with_backoff = [each for each in NAMED.values() if each.backoff_ms is not None]
    assert disconnects.SERVER_STOPPING in with_backoff
    for reason in with_backoff:
        assert reason.may_return
        assert reason.code in {308, 429}
    assert disconnects.TOKEN_RAN_OUT.payload() == b""
    assert json.loads(disconnects.SERVER_STOPPING.payload()) == {
        "backoff_policy": {"reconnect_min_ms": 1000, "reconnect_max_ms": 10_000}
    }


def test_each_refusal_of_a_token_has_its_reason() -> None:
    for code in range(20101, 20108):
        reason = disconnects.token_rejection(AccessTokenRefused(code, "why"))
        assert (reason.code, reason.status, reason.error_code) == (401, "UNAUTHORIZED", code)
        assert reason.description == CATALOGUE[code].message
    assert (
        len(
            {
                disconnects.token_rejection(AccessTokenRefused(code, ""))
                for code in range(20101, 20108)
            }
        )
        == 7
    )


def test_reasons_known_to_the_official_client() -> None:
    expired = disconnects.TOKEN_EXPIRED
    assert (expired.code, expired.error_code) == (401, 20104)
    ran_out = disconnects.TOKEN_RAN_OUT
    assert (ran_out.code, ran_out.status, ran_out.error_code) == (410, "TOKEN_EXPIRED", 51207)
    forbidden = disconnects.UPDATE_FORBIDDEN
    assert (forbidden.code, forbidden.status) == (308, "UPDATE_IS_FORBIDDEN")
    assert forbidden.error_code == 51232
