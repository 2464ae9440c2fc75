"""Forged access tokens: each one is rejected, with the code for its defect."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.protocol.access_tokens import AccessToken, AccessTokenRefused, verify
from tests.security.token_forgery import FORGED, SHAPES, WRITTEN_AT, Forge, SigningKey, written

FORGED_MIN = 60

NOW = WRITTEN_AT
ACCOUNT, TWIN_ACCOUNT = ("AC" + "0" * 31 + digit for digit in "12")
OWN, OTHER, TWIN = (
    SigningKey(account, "SK" + "0" * 31 + digit, letter * 32)
    for account, digit, letter in (
        (ACCOUNT, "1", "o"),
        (ACCOUNT, "2", "p"),
        (TWIN_ACCOUNT, "3", "t"),
    )
)
FORGE = Forge(OWN, OTHER, TWIN, "IS" + "0" * 31 + "1", NOW)
KNOWN = {(key.sid, key.account_sid): key.secret for key in (OWN, OTHER, TWIN)}
GOOD = FORGE.token()


def secret_of(key_sid: str, account_sid: str) -> str | None:
    return KNOWN.get((key_sid, account_sid))


def test_the_token_they_are_made_from_is_accepted() -> None:
    assert FORGE.made({}) == GOOD
    token = verify(GOOD, secret_of=secret_of, now_ms=NOW * 1000)
    assert (token.identity, token.account_sid, token.key_sid) == ("alice", ACCOUNT, OWN.sid)


def test_the_corpus_is_large_and_has_no_entry_twice() -> None:
    assert len(FORGED) >= FORGED_MIN
    assert len({each["why"] for each in FORGED}) == len(FORGED)
    assert len({hashlib.sha256(FORGE.made(each).encode()).digest() for each in FORGED}) == len(
        FORGED
    )
    assert {each["shape"] for each in FORGED if "shape" in each} == set(SHAPES)
    assert {each["expected"] for each in FORGED} == set(range(20101, 20108))


@pytest.mark.parametrize("forged", FORGED, ids=[each["why"] for each in FORGED])
def test_a_forged_token_is_refused(forged: dict[str, Any]) -> None:
    with pytest.raises(AccessTokenRefused) as refused:
        verify(FORGE.made(forged), secret_of=secret_of, now_ms=NOW * 1000)
    assert refused.value.code == forged["expected"], refused.value.reason


@pytest.mark.parametrize(
    "sent", [None, 1, True, [], {}, [GOOD], {"token": GOOD}, GOOD.encode()], ids=repr
)
def test_bytes_that_are_no_text_are_rejected(sent: object) -> None:
    with pytest.raises(AccessTokenRefused) as refused:
        verify(sent, secret_of=secret_of, now_ms=NOW * 1000)
    assert refused.value.code == 20101


def test_a_large_token_is_refused_before_anything_is_decoded() -> None:
    asked: list[str] = []

    def counted(key_sid: str, account_sid: str) -> str | None:
        asked.append(key_sid)
        return secret_of(key_sid, account_sid)

    for size in (20_000, 2_000_000):
        header, claims = FORGE.good()
        token = FORGE.joined(written(header), written(claims | {"more": "x" * size}))
        with pytest.raises(AccessTokenRefused) as refused:
            verify(token, secret_of=counted, now_ms=NOW * 1000)
        assert (refused.value.code, refused.value.reason) == (20101, "no text, or too long")
    assert asked == []


@given(place=st.integers(0, len(GOOD) - 1), other=st.characters())
def test_a_token_with_another_character_is_refused(place: int, other: str) -> None:
    token = GOOD[:place] + other + GOOD[place + 1 :]
    if token != GOOD:
        with pytest.raises(AccessTokenRefused):
            verify(token, secret_of=secret_of, now_ms=NOW * 1000)


@given(st.text() | st.text("ABCabc019-_.=", max_size=200))
def test_any_text_is_refused_and_nothing_else_is_raised(text: str) -> None:
    with pytest.raises(AccessTokenRefused):
        verify(text, secret_of=secret_of, now_ms=NOW * 1000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["iss", "sub", "iat", "nbf", "exp", "grants", "identity", "chat"])


def outcome(token: str) -> AccessToken | AccessTokenRefused:
    try:
        return verify(token, secret_of=secret_of, now_ms=NOW * 1000)
    except AccessTokenRefused as refused:
        return refused


@given(header=st.dictionaries(NAMES | st.text(), JSON), changed=st.dictionaries(NAMES, JSON))
def test_any_json_is_accepted_or_rejected_without_other_exceptions(
    header: dict[str, Any], changed: dict[str, Any]
) -> None:
    good_header, claims = FORGE.good()
    for token_claims in (claims | changed, claims | {"grants": claims["grants"] | changed}):
        token = FORGE.joined(
            written({**header, **good_header}), json.dumps(token_claims, allow_nan=True)
        )
        found = outcome(token)
        if isinstance(found, AccessTokenRefused):
            assert 20101 <= found.code <= 20107
        else:
            assert found.account_sid == ACCOUNT
            assert found.identity
            assert NOW * 1000 < found.expires_ms <= (NOW + 86_460) * 1000
