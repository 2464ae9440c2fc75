"""Accounts and API keys, as the SDKs request them in version 2010-04-01."""

from __future__ import annotations

import json
import re
import secrets
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from parlour.resources.table import operations
from tests.resources.settings_setup import NOWHERE, all_rows_text, logged_events, new_account_api
from tests.support.polling import eventually
from tests.support.server import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000")


@pytest.fixture(scope="module")
def own(server: Server) -> Iterator[Api]:
    """An account, with the base path of its keys."""
    api = new_account_api(server)
    yield api.under(f"/2010-04-01/Accounts/{api.sid}")
    api.close()


def test_an_account_is_shown_to_its_auth_token(own: Api) -> None:
    uri = f"/2010-04-01/Accounts/{own.sid}"
    shown = own.get(f"{uri}.json").expect(200)
    assert DATE.fullmatch(shown["date_created"])
    assert DATE.fullmatch(shown["date_updated"])
    assert shown == {
        "auth_token": own.token,
        "date_created": shown["date_created"],
        "date_updated": shown["date_updated"],
        "friendly_name": "Account",
        "owner_account_sid": own.sid,
        "sid": own.sid,
        "status": "active",
        "subresource_uris": {"keys": f"{uri}/Keys.json"},
        "type": "Full",
        "uri": f"{uri}.json",
    }


def test_a_new_key_returns_its_secret_once_and_authenticates(own: Api, server: Server) -> None:
    made = own.post("/Keys.json", FriendlyName="laptop").expect(201)
    assert list(made) == ["sid", "friendly_name", "date_created", "date_updated", "secret"]
    assert re.fullmatch("SK[0-9a-f]{32}", made["sid"])
    assert made["friendly_name"] == "laptop"
    assert parsedate_to_datetime(made["date_created"]).utcoffset() is not None
    assert DATE.fullmatch(made["date_created"])
    assert logged_events(server, str(own.sid))[-1] == ("accountChanged", made["sid"])
    by_key = own.signed(made["sid"], made["secret"]).under("/v1")
    assert by_key.get("/Configuration").expect(200)["account_sid"] == own.sid
    del made["secret"]
    assert own.get(f"/Keys/{made['sid']}.json").expect(200) == made
    assert own.post("/Keys.json").expect(201)["friendly_name"] == ""


@pytest.mark.slow
def test_accounts_and_keys_of_the_operator_authenticate(own: Api, server: Server) -> None:
    made = json.loads(server.command("account", "create", "--name", "Shop", "--json"))
    account_sid = made["account_sid"]
    api = own.signed(account_sid, made["auth_token"]).under("/v1")
    assert api.get("/Configuration").expect(200)["account_sid"] == account_sid
    assert f'"{account_sid}", "friendly_name": "Shop"' in server.command(
        "account", "list", "--json"
    )

    key = json.loads(server.command("key", "create", account_sid, "--name", "CI", "--json"))
    api.signed(key["sid"], key["secret"]).get("/Configuration").expect(200)
    assert f"{key['sid']}  CI" in server.command("key", "list", account_sid)
    with pytest.raises(ServerError, match="there is no account"):
        server.command("key", "create", "AC" + "0" * 32)


def test_a_name_can_be_changed(own: Api) -> None:
    made = own.post("/Keys.json", FriendlyName="laptop").expect(201)
    path = f"/Keys/{made['sid']}.json"
    changed = own.post(path, FriendlyName="desk").expect(200)
    assert changed["friendly_name"] == "desk"
    assert own.get(path).expect(200) == changed
    assert own.post(path).expect(200) == changed
    own.post(path, FriendlyName="x" * 65).refuses(400, 20002)
    own.post("/Keys.json", FriendlyName="x" * 65).refuses(400, 20002)
    assert own.get(path).expect(200) == changed
    by_key = own.signed(made["sid"], made["secret"]).under("/v1")
    by_key.get("/Configuration").expect(200)


def test_a_revoked_key_is_refused_from_then_on(own: Api, server: Server) -> None:
    made = own.post("/Keys.json").expect(201)
    by_key = own.signed(made["sid"], made["secret"]).under("/v1")
    by_key.get("/Configuration").expect(200)
    upper = "SK" + made["sid"][2:].upper()
    own.delete(f"/Keys/{upper}.json").expect(204)
    by_key.get("/Configuration").refuses(401, 20003)
    assert logged_events(server, str(own.sid))[-1] == ("accountChanged", made["sid"])
    own.delete(f"/Keys/{made['sid']}.json").refuses(404, 20404)
    own.get(f"/Keys/{made['sid']}.json").refuses(404, 20404)
    own.get("/Keys.json").expect(200)


def test_secrets_are_encrypted_and_a_repeated_request_shows_the_same(
    own: Api, server: Server
) -> None:
    repeated = {"Idempotency-Key": secrets.token_hex(8)}
    made = own.post("/Keys.json", FriendlyName="once", headers=repeated)
    again = own.post("/Keys.json", FriendlyName="once", headers=repeated)
    assert (made.expect(201), made.body) == (again.expect(201), again.body)
    rows_text = all_rows_text(server, str(own.sid))
    assert made.json["sid"] in rows_text
    assert made.json["secret"] not in rows_text
    assert str(own.token) not in rows_text


def test_a_list_has_the_shape_of_its_version(server: Server) -> None:
    api = new_account_api(server)
    base = f"/2010-04-01/Accounts/{api.sid}"
    own = api.under(base)
    assert own.get("/Keys.json").expect(200)["keys"] == []
    sids = [own.post("/Keys.json", FriendlyName=str(n)).expect(201)["sid"] for n in range(5)]
    first = own.get("/Keys.json?PageSize=2").expect(200)
    assert {name: first[name] for name in ("page", "page_size", "start", "end")} == {
        "page": 0,
        "page_size": 2,
        "start": 0,
        "end": 1,
    }
    assert first["first_page_uri"] == first["uri"] == f"{base}/Keys.json?PageSize=2&Page=0"
    assert first["previous_page_uri"] is None
    second = own.get(first["next_page_uri"]).expect(200)
    third = own.get(second["next_page_uri"]).expect(200)
    assert (second["start"], second["end"], third["start"], third["end"]) == (2, 3, 4, 4)
    assert third["next_page_uri"] is None
    pages = (first, second, third)
    assert [key["sid"] for page in pages for key in page["keys"]] == sids
    assert own.get(third["previous_page_uri"]).expect(200)["keys"] == second["keys"]
    assert set(first["keys"][0]) == {"sid", "friendly_name", "date_created", "date_updated"}
    assert own.get("/Keys.json?PageSize=5000").expect(200)["page_size"] == 1000
    own.get("/Keys.json?PageSize=0").refuses(400, 20001)


def _with_auth_token_only() -> list[tuple[str, str]]:
    """Method and path of the operations without API keys, from the table of operations."""
    return [(each.method, each.path) for each in operations() if each.needs_auth_token]


def test_accounts_and_keys_are_all_that_a_key_may_not_do() -> None:
    paths = {path for _, path in _with_auth_token_only()}
    assert paths == {each.path for each in operations() if each.path.startswith("/2010-04-01/")}


@pytest.mark.promise("reference/quirks.md", "A key that tries is answered with 403")
@pytest.mark.parametrize(("method", "path"), _with_auth_token_only())
def test_a_key_cannot_manage_accounts_and_keys(own: Api, method: str, path: str) -> None:
    made = own.post("/Keys.json", FriendlyName="leaked").expect(201)
    by_key = own.signed(made["sid"], made["secret"])
    before = own.get("/Keys.json", PageSize=1000).expect(200)
    place = path.format(AccountSid=own.sid, Sid=made["sid"])
    form = {"FriendlyName": "mine"} if method == "POST" else None
    by_key.request(method, place, form=form).refuses(403, 20403)
    by_key.request(method, place.replace(str(own.sid), NOWHERE["AC"])).refuses(403, 20403)
    assert own.get("/Keys.json", PageSize=1000).expect(200)["keys"] == before["keys"]
    by_key.under("/v1").get("/Configuration").expect(200)


def test_a_key_is_not_shown_the_secret_that_a_repeated_request_made(own: Api) -> None:
    made = own.post("/Keys.json").expect(201)
    repeated = {"Idempotency-Key": secrets.token_hex(8)}
    own.post("/Keys.json", FriendlyName="new", headers=repeated).expect(201)
    by_key = own.signed(made["sid"], made["secret"])
    by_key.post("/Keys.json", FriendlyName="new", headers=repeated).refuses(403, 20403)


def test_another_account_is_not_found(own: Api, api: Api) -> None:
    made = own.post("/Keys.json").expect(201)
    other = api.under(f"/2010-04-01/Accounts/{api.sid}")
    for answer in (
        api.get(f"/2010-04-01/Accounts/{own.sid}.json"),
        api.get(f"{own.prefix}/Keys.json"),
        api.post(f"{own.prefix}/Keys.json"),
        api.delete(f"{own.prefix}/Keys/{made['sid']}.json"),
        other.get(f"/Keys/{made['sid']}.json"),
        other.delete(f"/Keys/{made['sid']}.json"),
        own.get(f"/Keys/{NOWHERE['SK']}.json"),
        own.get(f"/Keys/{own.sid}.json"),
        own.delete(f"/Keys/{own.sid}.json"),
        own.get(f"/Keys/{made['sid']}"),
    ):
        answer.refuses(404, 20404)
    own.signed(None, None).get("/Keys.json").refuses(401, 20003)
    own.delete("/Keys.json").refuses(405, 20004)
    own.delete(f"/2010-04-01/Accounts/{own.sid}.json").refuses(405, 20004)


def test_the_operator_sees_and_revokes_the_same_keys(own: Api, server: Server) -> None:
    made = own.post("/Keys.json", FriendlyName="listed").expect(201)
    by_key = own.signed(made["sid"], made["secret"]).under("/v1")
    by_key.get("/Configuration").expect(200)
    assert made["sid"] in server.command("key", "list", str(own.sid))
    server.command("key", "revoke", str(own.sid), made["sid"])
    eventually(lambda: by_key.get("/Configuration").status, lambda status: status == 401)
    own.get(f"/Keys/{made['sid']}.json").refuses(404, 20404)


def test_the_python_client_makes_lists_and_revokes_keys(server: Server) -> None:
    sid, token = server.make_account()
    client = _client(server, sid, token)
    account: Any = client.api.v2010.account
    assert account.fetch().friendly_name == "Account"
    made = [account.new_keys.create(friendly_name=str(number)) for number in range(3)]
    assert made[0].date_created.tzinfo is not None
    assert [key.sid for key in account.keys.list(page_size=1)] == [key.sid for key in made]
    assert account.keys(made[0].sid).update(friendly_name="zero").friendly_name == "zero"
    assert account.keys(made[0].sid).fetch().friendly_name == "zero"
    by_key = _client(server, made[0].sid, made[0].secret, sid)
    assert by_key.conversations.v1.configuration().fetch().account_sid == sid
    assert account.keys(made[0].sid).delete() is True
    with pytest.raises(TwilioRestException) as refused:
        by_key.conversations.v1.configuration().fetch()
    assert (refused.value.status, refused.value.code) == (401, 20003)


def _client(server: Server, name: str, secret: str, account_sid: str | None = None) -> Client:
    client = Client(name, secret, account_sid)
    client.api.base_url = server.base_url
    client.conversations.base_url = server.base_url
    return client
