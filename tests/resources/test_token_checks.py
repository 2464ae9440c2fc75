"""Checks of access tokens from anywhere: in the order of the verification, and of own keys only."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from parlour.protocol.access_tokens import CONTENT_TYPE, TokenCheck, make
from tests.resources.settings_setup import NOWHERE, new_account_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

LONG_AGO_MS = 1_500_000_000_000
NAMES = [each.value for each in TokenCheck]


@pytest.fixture(scope="module")
def own(server: Server) -> Iterator[Api]:
    """A separate account, below Parlour's own version."""
    api = new_account_api(server)
    yield api.under("/parlour/v1")
    api.close()


def new_key(api: Api) -> tuple[str, str]:
    path = f"/2010-04-01/Accounts/{api.sid}/Keys.json"
    made = api.post(path, FriendlyName="signs").expect(201)
    return made["sid"], made["secret"]


def checked(api: Api, token: str) -> dict[str, Any]:
    """Return the checks of a token: those before the failed one passed, and no later one ran."""
    found: dict[str, Any] = api.post("/TokenChecks", Token=token).expect(200)
    assert [each["name"] for each in found["checks"]] == NAMES
    passed = [each["passed"] for each in found["checks"]]
    count = passed.index(False) if False in passed else len(passed)
    assert passed == ([True] * count + [False] + [None] * len(passed))[: len(passed)]
    assert found["valid"] is (count == len(passed))
    return found


def failure(api: Api, token: str) -> tuple[str, int]:
    """Return the name and the code of the check that failed."""
    (failed,) = [each for each in checked(api, token)["checks"] if each["passed"] is False]
    assert failed["message"]
    return failed["name"], failed["code"]


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_valid_token_passes_all_checks(own: Api) -> None:
    made = own.post("/Tokens", Identity="alice", Ttl=60).expect(201)
    found = checked(own, made["token"])
    assert found["valid"] is True
    assert found["header"] == {"alg": "HS256", "typ": "JWT", "cty": CONTENT_TYPE}
    assert found["payload"]["grants"]["identity"] == "alice"
    assert found["date_expires"] == made["date_expires"]


def test_the_first_check_that_fails_has_code_and_message(own: Api) -> None:
    key_sid, secret = new_key(own)
    token: str = own.post("/Tokens", Identity="alice", ApiKeySid=key_sid).expect(201)["token"]
    header, claims, signature = token.split(".")
    text = {"iss": key_sid, "sub": own.sid}
    plain = part({"alg": "HS256", "cty": CONTENT_TYPE})
    common: dict[str, Any] = {
        "account_sid": own.sid,
        "key_sid": key_sid,
        "secret": secret,
        "identity": "alice",
        "service_sid": NOWHERE["IS"],
        "ttl_seconds": 60,
    }
    now_ms = json.loads(base64.urlsafe_b64decode(claims + "=="))["iat"] * 1000
    assert failure(own, "no token") == ("encoding", 20101)
    assert failure(own, f"{part({'alg': 'none'})}.{claims}.{signature}") == ("header", 20102)
    assert failure(own, f"{header}.{part([])}.{signature}") == ("claims", 20101)
    assert failure(own, f"{header}.{part({'iss': 'me'})}.{signature}") == ("issuer", 20103)
    assert failure(own, f"{plain}.{part(text)}.AAAA") == ("signature_length", 20107)
    assert failure(own, f"{plain}.{part(text)}.{signature}") == ("signature", 20107)
    assert failure(own, make(now_ms=LONG_AGO_MS, **common)) == ("dates", 20104)
    assert failure(own, make(now_ms=now_ms, **common | {"identity": ""})) == ("grants", 20106)
    assert failure(own, make(now_ms=now_ms, **common)) == ("service", 51101)


def test_an_expired_token_is_decoded_and_its_end_shown(own: Api) -> None:
    key_sid, secret = new_key(own)
    token = make(
        account_sid=str(own.sid),
        key_sid=key_sid,
        secret=secret,
        identity="alice",
        service_sid=NOWHERE["IS"],
        now_ms=LONG_AGO_MS,
        ttl_seconds=60,
    )
    found = checked(own, token)
    assert found["date_expires"] == "2017-07-14T02:41:00Z"
    assert found["payload"]["grants"]["identity"] == "alice"


def test_of_a_revoked_key_and_of_another_account_only_an_unknown_key_is_shown(
    own: Api, api: Api
) -> None:
    theirs = api.under("/parlour/v1").post("/Tokens", Identity="alice").expect(201)["token"]
    assert failure(own, theirs) == ("key", 20103)
    header, claims, signature = theirs.split(".")
    forged = f"{header}.{claims}.{'A' * len(signature)}"
    assert checked(own, forged)["checks"] == checked(own, theirs)["checks"]
    key_sid, _ = new_key(own)
    mine = own.post("/Tokens", Identity="alice", ApiKeySid=key_sid).expect(201)["token"]
    own.delete(f"/2010-04-01/Accounts/{own.sid}/Keys/{key_sid}.json").expect(204)
    assert failure(own, mine) == ("key", 20103)


@pytest.mark.parametrize("odd", ['{"a":"\\ud800"}', '{"a":' + "[" * 5000 + "]" * 5000 + "}"])
def test_a_part_that_json_cannot_show_is_not_shown(own: Api, odd: str) -> None:
    claims = base64.urlsafe_b64encode(odd.encode()).decode().rstrip("=")
    found = checked(own, f"{part({'alg': 'HS256'})}.{claims}.AAAA")
    assert found["header"] == {"alg": "HS256"}
    assert found["payload"] is None


def test_a_token_is_required_and_not_longer_than_a_connection_accepts(own: Api) -> None:
    own.post("/TokenChecks").refuses(400, 20001)
    own.post("/TokenChecks", Token="x" * (16 * 1024 + 1)).refuses(400, 20001)
    own.signed(own.sid, "wrong").post("/TokenChecks", Token="x").refuses(401, 20003)
