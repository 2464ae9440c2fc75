"""Access tokens for development, over REST and on the command line, read by the official helper."""

from __future__ import annotations

import json
import secrets
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from twilio.jwt.access_token import AccessToken as OfficialToken

from parlour.protocol.access_tokens import verify
from parlour.resources.tokens.actions import DEVELOPMENT_KEY_NAME
from parlour.store.key_file import load_vault
from parlour.vocabulary.clock import SystemRandom
from tests.resources.settings_setup import (
    NOWHERE,
    all_rows_text,
    logged_events,
    new_account_api,
    new_service_api,
)
from tests.support.server import ServerError
from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

DAY = 24 * 60 * 60


@pytest.fixture(scope="module")
def own(server: Server) -> Iterator[Api]:
    """A separate account, below Parlour's own version."""
    api = new_account_api(server)
    yield api.under("/parlour/v1")
    api.close()


def keys_of(api: Api) -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = api.get(
        f"/2010-04-01/Accounts/{api.sid}/Keys.json", PageSize=1000
    ).expect(200)["keys"]
    return keys


def new_key(api: Api) -> tuple[str, str]:
    path = f"/2010-04-01/Accounts/{api.sid}/Keys.json"
    made = api.post(path, FriendlyName="signs").expect(201)
    return made["sid"], made["secret"]


def default_service(api: Api) -> str:
    sid: str = api.get("/v1/Configuration").expect(200)["default_chat_service_sid"]
    return sid


def test_a_token_signed_by_the_callers_key_is_read_by_the_official_helper(own: Api) -> None:
    key_sid, secret = new_key(own)
    by_key = own.signed(key_sid, secret)
    made = by_key.post("/Tokens", Identity="alice", Ttl=60).expect(201)
    service_sid = default_service(own)
    assert made == {
        "token": made["token"],
        "identity": "alice",
        "service_sid": service_sid,
        "date_expires": made["date_expires"],
    }
    read = OfficialToken.from_jwt(made["token"], secret)
    claims = read.payload
    assert (claims["iss"], claims["sub"]) == (key_sid, own.sid)
    assert claims["grants"] == {"identity": "alice", "chat": {"service_sid": service_sid}}
    assert claims["exp"] - claims["nbf"] == 60
    assert datetime.fromtimestamp(claims["exp"], UTC) == datetime.fromisoformat(
        made["date_expires"]
    )
    token = verify(made["token"], secret_of=lambda *_: secret, now_ms=claims["nbf"] * 1000)
    assert (token.identity, token.account_sid) == ("alice", own.sid)


def test_a_token_may_be_for_another_service_and_by_another_key(own: Api) -> None:
    key_sid, secret = new_key(own)
    service_sid = new_service_api(own).prefix.rpartition("/")[2]
    made = own.post(
        "/Tokens", Identity="bob", ServiceSid=service_sid, ApiKeySid=key_sid, Ttl=DAY
    ).expect(201)
    assert made["service_sid"] == service_sid
    claims = OfficialToken.from_jwt(made["token"], secret).payload
    assert claims["iss"] == key_sid
    assert claims["grants"]["chat"] == {"service_sid": service_sid}
    assert claims["exp"] - claims["iat"] == DAY


def test_a_key_signs_only_with_itself(own: Api) -> None:
    (first, secret), (second, _) = new_key(own), new_key(own)
    by_key = own.signed(first, secret)
    named = by_key.post("/Tokens", Identity="a", ApiKeySid=first).expect(201)
    assert OfficialToken.from_jwt(named["token"]).payload["iss"] == first
    own.post("/Tokens", Identity="a").expect(201)
    development = next(k for k in keys_of(own) if k["friendly_name"] == DEVELOPMENT_KEY_NAME)
    for other in (second, development["sid"], NOWHERE["SK"]):
        by_key.post("/Tokens", Identity="a", ApiKeySid=other).refuses(403, 20403)


def test_a_repeated_request_of_another_login_gets_no_token_of_the_first(own: Api) -> None:
    key_sid, secret = new_key(own)
    by_key = own.signed(key_sid, secret)
    repeated = {"Idempotency-Key": secrets.token_hex(8)}
    first = own.post("/Tokens", Identity="a", headers=repeated)
    assert own.post("/Tokens", Identity="a", headers=repeated).body == first.body
    by_key.post("/Tokens", Identity="a", headers=repeated).refuses(422, 20422)


def test_with_the_auth_token_a_key_is_created_once_and_encrypted(server: Server) -> None:
    own = new_account_api(server).under("/parlour/v1")
    assert keys_of(own) == []
    tokens = [own.post("/Tokens", Identity="alice").expect(201)["token"] for _ in range(3)]
    (key,) = keys_of(own)
    assert key["friendly_name"] == DEVELOPMENT_KEY_NAME
    issuers = {OfficialToken.from_jwt(token).payload["iss"] for token in tokens}
    assert issuers == {key["sid"]}
    assert [each for each in logged_events(server, str(own.sid)) if each[1] == key["sid"]] == [
        ("accountChanged", key["sid"])
    ]
    rows_text = all_rows_text(server, str(own.sid))
    assert all(token not in rows_text for token in tokens)
    own.close()


def test_after_revoking_the_stored_key_another_one_is_created(server: Server) -> None:
    own = new_account_api(server).under("/parlour/v1")
    own.post("/Tokens", Identity="alice").expect(201)
    (first,) = keys_of(own)
    own.delete(f"/2010-04-01/Accounts/{own.sid}/Keys/{first['sid']}.json").expect(204)
    own.post("/Tokens", Identity="alice").expect(201)
    (second,) = keys_of(own)
    assert second["sid"] != first["sid"]
    own.close()


def test_making_a_token_makes_no_user(own: Api) -> None:
    own.post("/Tokens", Identity="nobody-yet").expect(201)
    assert own.get("/v1/Users").expect(200)["users"] == []


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, 20001),
        ({"Identity": ""}, 20001),
        ({"Identity": "x" * 257}, 50207),
        ({"Identity": "a", "Ttl": "0"}, 20001),
        ({"Identity": "a", "Ttl": "-1"}, 20001),
        ({"Identity": "a", "Ttl": str(DAY + 1)}, 20001),
        ({"Identity": "a", "Ttl": "an hour"}, 20001),
        ({"Identity": "a", "ServiceSid": "IS1"}, 20001),
        ({"Identity": "a", "ServiceSid": NOWHERE["IS"]}, 50050),
        ({"Identity": "a", "ApiKeySid": "own"}, 20001),
        ({"Identity": "a", "ApiKeySid": NOWHERE["SK"]}, 20001),
    ],
    ids=repr,
)
def test_invalid_parameters_are_rejected_and_create_no_key(
    server: Server, form: dict[str, str], code: int
) -> None:
    own = new_account_api(server).under("/parlour/v1")
    own.post("/Tokens", form).refuses(400, code)
    assert keys_of(own) == []
    own.close()


def test_another_accounts_objects_are_like_nonexistent_ones(own: Api, api: Api) -> None:
    foreign_key, _ = new_key(api)
    for name, theirs in (("ApiKeySid", foreign_key), ("ServiceSid", default_service(api))):
        never = theirs[:2] + secrets.token_hex(16)
        refused = own.post("/Tokens", {"Identity": "a", name: theirs})
        assert refused.status == 400
        assert refused.body == own.post("/Tokens", {"Identity": "a", name: never}).body


def test_a_token_request_without_a_login_is_rejected(own: Api) -> None:
    own.signed(None, None).post("/Tokens", Identity="a").refuses(401, 20003)
    own.signed(own.sid, "wrong").post("/Tokens", Identity="a").refuses(401, 20003)


# --- On the command line ----------------------------------------------------------------


@pytest.mark.slow
def test_the_command_prints_a_token_while_the_server_runs(server: Server, own: Api) -> None:
    key_sid, secret = new_key(own)
    arguments = ["token", "--account", str(own.sid), "--identity", "älice"]
    printed = server.command(*arguments, "--key", key_sid, "--ttl", "60")
    claims = OfficialToken.from_jwt(printed.strip(), secret).payload
    assert (claims["iss"], claims["sub"]) == (key_sid, own.sid)
    assert claims["grants"]["identity"] == "älice"
    assert claims["exp"] - claims["iat"] == 60
    service_sid = new_service_api(own).prefix.rpartition("/")[2]
    made = json.loads(server.command(*arguments, "--service", service_sid, "--json"))
    assert (made["identity"], made["service_sid"]) == ("älice", service_sid)
    issuer = OfficialToken.from_jwt(made["token"]).payload["iss"]
    assert issuer in {key["sid"] for key in keys_of(own)} - {key_sid}
    over_rest = own.post("/Tokens", Identity="alice").expect(201)["token"]
    assert OfficialToken.from_jwt(over_rest).payload["iss"] == issuer


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--account", "AC" + "0" * 31 + "9", "--identity", "a"), "there is no account"),
        (("--account", "AC1", "--identity", "a"), "is not a sid with AC"),
        (("--identity", ""), "characters"),
        (("--identity", "x" * 257), "characters"),
        (("--identity", "\udcff"), "characters"),
        (("--identity", "a", "--service", NOWHERE["IS"]), "Service"),
        (("--identity", "a", "--key", NOWHERE["SK"]), "ApiKeySid"),
        (("--identity", "a", "--ttl", str(DAY + 1)), "86400"),
    ],
    ids=repr,
)
@pytest.mark.slow
def test_the_command_rejects_invalid_arguments(
    server: Server, arguments: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ServerError, match=words):
        server.command("token", *arguments)


def test_the_stored_keys_secret_signs_and_is_not_in_the_database(server: Server, own: Api) -> None:
    token = own.post("/Tokens", Identity="alice").expect(201)["token"]
    with closing(connect(server)) as connection:
        ((key_sid, sealed),) = connection.execute(
            "SELECT name, secret_sealed FROM login WHERE account_sid = ? AND friendly_name = ?",
            (own.sid, DEVELOPMENT_KEY_NAME),
        ).fetchall()
    secret = load_vault(server.data_dir, SystemRandom()).unseal(sealed, key_sid)
    assert OfficialToken.from_jwt(token, secret).payload["iss"] == key_sid
    assert secret not in all_rows_text(server, str(own.sid))


@pytest.mark.parametrize("encoded", ["%FF", "%ED%A0%80", "a%00b", "%F0%9F%8E%89"])
def test_an_identity_of_any_bytes_is_refused_or_can_be_used(own: Api, encoded: str) -> None:
    answer = own.post(
        "/Tokens",
        body=f"Identity={encoded}",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    if answer.status != 201:
        assert answer.status == 400
        return
    made = answer.json
    claims = OfficialToken.from_jwt(made["token"]).payload
    assert claims["grants"]["identity"] == made["identity"]
