"""Push credentials: their secrets are write-only."""

from __future__ import annotations

import re
import secrets
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.exceptions import InvalidTag

from parlour.resources.credentials.store import Credential, CredentialSecrets, unseal_secrets
from parlour.store.key_file import load_vault
from parlour.vocabulary.clock import SystemRandom
from tests.resources.participant_setup import DATE
from tests.resources.settings_setup import (
    NOWHERE,
    all_rows_text,
    changes,
    logged_events,
    new_account_api,
    refuses,
)
from tests.support.server_database import connect

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server

SECRETS = ("Certificate", "PrivateKey", "ApiKey", "Secret")


def make(api: Api, **form: Any) -> dict[str, Any]:
    made: dict[str, Any] = api.post("/Credentials", {"Type": "fcm", **form}).expect(201)
    return made


def test_a_credential_is_shown_without_its_secrets(api: Api, server: Server) -> None:
    form = {"Type": "APN", "FriendlyName": "Phones", "Certificate": "one", "PrivateKey": "two"}
    answer = api.post("/Credentials", {**form, "Sandbox": "true"})
    made = answer.expect(201)
    assert list(made) == [
        "sid",
        "account_sid",
        "friendly_name",
        "type",
        "sandbox",
        "date_created",
        "date_updated",
        "url",
    ]
    assert re.fullmatch("CR[0-9a-f]{32}", made["sid"])
    assert made["account_sid"] == api.sid
    assert (made["friendly_name"], made["type"], made["sandbox"]) == ("Phones", "apn", "True")
    assert DATE.fullmatch(made["date_created"])
    assert made["date_updated"] == made["date_created"]
    assert made["url"] == f"{api.base_url}/v1/Credentials/{made['sid']}"
    assert api.get(f"/Credentials/{made['sid']}").body == answer.body
    assert logged_events(server, made["account_sid"])[-1] == ("accountChanged", made["sid"])


@pytest.mark.parametrize("kind", ["gcm", "fcm"])
def test_only_apn_has_a_sandbox(api: Api, kind: str) -> None:
    made = make(api, Type=kind, Sandbox="true")
    assert (made["sandbox"], made["friendly_name"]) == (None, None)
    assert make(api, Type="apn")["sandbox"] == "False"


def test_an_update_preserves_omitted_parameters(api: Api) -> None:
    path = f"/Credentials/{make(api, Type='apn', FriendlyName='Phones', Sandbox='true')['sid']}"
    changes(api, path, {"FriendlyName": "Tablets"}, friendly_name="Tablets")
    changes(api, path, {"Sandbox": "false"}, sandbox="False")
    changes(api, path, {"Secret": "three", "Certificate": ""})
    changes(
        api, path, {"FriendlyName": "", "Type": "FCM"}, friendly_name=None, type="fcm", sandbox=None
    )
    changes(api, path, {"Type": "apn", "Sandbox": "True"}, type="apn", sandbox="True")
    changes(api, path, {})


def test_secrets_are_encrypted(server: Server) -> None:
    own = new_account_api(server)
    assert own.sid is not None
    given = {name: secrets.token_hex(16) for name in SECRETS}
    sid = make(own, **given)["sid"]
    first = all_rows_text(server, own.sid)
    changed = {name: secrets.token_hex(16) for name in SECRETS}
    answer = own.post(
        f"/Credentials/{sid}", changed, headers={"Idempotency-Key": secrets.token_hex(8)}
    )
    answer.expect(200)
    rows_text = all_rows_text(server, own.sid)
    assert sid in rows_text
    assert rows_text != first
    for secret in (*given.values(), *changed.values()):
        assert secret not in first + rows_text
        assert secret not in answer.text
        assert secret not in server.log_tail()


def _opened(server: Server, sid: str, bound_to: str) -> CredentialSecrets:
    """Return the decrypted secrets of a credential, for the push service."""
    with closing(connect(server)) as connection:
        names = ", ".join(Credential.__struct_fields__)
        query = f"SELECT {names} FROM credential WHERE sid = ?"
        row = Credential(*connection.execute(query, (sid,)).fetchone())
    vault = load_vault(server.data_dir, SystemRandom())
    return unseal_secrets(vault, msgspec.structs.replace(row, sid=bound_to))


def test_sealed_secrets_can_be_opened_for_their_own_credential(api: Api, server: Server) -> None:
    sid, other = make(api, Type="apn", Certificate="one", PrivateKey="two")["sid"], make(api)["sid"]
    assert _opened(server, sid, sid) == CredentialSecrets(certificate="one", private_key="two")
    assert _opened(server, other, other) == CredentialSecrets()
    with pytest.raises(InvalidTag):
        _opened(server, sid, other)
    form = {"Certificate": "", "Secret": "three", "ApiKey": "four"}
    api.post(f"/Credentials/{sid}", form).expect(200)
    api.post(f"/Credentials/{sid}", FriendlyName="Phones").expect(200)
    assert _opened(server, sid, sid) == CredentialSecrets(
        private_key="two", secret="three", api_key="four"
    )


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"Type": "apns"}, 20001),
        ({"Sandbox": "1"}, 20001),
        ({"FriendlyName": "x" * 257}, 50003),
        *(({name: "x" * (16 * 1024 + 1)}, 20001) for name in SECRETS),
    ],
)
def test_a_bad_value_is_refused(api: Api, server: Server, form: dict[str, str], code: int) -> None:
    before = len(api.get("/Credentials?PageSize=100").expect(200)["credentials"])
    api.post("/Credentials", {"Type": "apn", **form}).refuses(400, code)
    assert len(api.get("/Credentials?PageSize=100").expect(200)["credentials"]) == before
    refuses(server, api, f"/Credentials/{make(api)['sid']}", form, code)


def test_the_type_is_required(api: Api) -> None:
    error = api.post("/Credentials", Secret="s").refuses(400, 20001)
    assert error["message"] == "Missing required parameter Type in the post body"


def test_a_list_is_in_the_order_of_creation(server: Server) -> None:
    own = new_account_api(server)
    sids = [make(own, FriendlyName=str(number))["sid"] for number in range(5)]
    page = own.get("/Credentials?PageSize=1000").expect(200)
    assert (page["meta"]["page_size"], page["meta"]["key"]) == (100, "credentials")
    assert [each["sid"] for each in page["credentials"]] == sids
    first = own.get("/Credentials?PageSize=3").expect(200)
    rest = own.get(first["meta"]["next_page_url"]).expect(200)
    assert [each["sid"] for each in rest["credentials"]] == sids[3:]
    assert rest["meta"]["next_page_url"] is None


def test_a_deleted_credential_is_not_found(api: Api, server: Server) -> None:
    sid = make(api)["sid"]
    api.delete(f"/Credentials/{sid}").expect(204)
    assert logged_events(server, str(api.sid))[-1] == ("accountChanged", sid)
    api.delete(f"/Credentials/{sid}").refuses(404, 20404)
    api.get(f"/Credentials/{sid}").refuses(404, 20404)


def test_it_belongs_to_an_account(api: Api, foreign_api: Api, service_api: Api) -> None:
    sid = make(api)["sid"]
    for answer in (
        foreign_api.get(f"/Credentials/{sid}"),
        foreign_api.post(f"/Credentials/{sid}", FriendlyName="mine"),
        foreign_api.delete(f"/Credentials/{sid}"),
        api.get(f"/Credentials/{NOWHERE['CR']}"),
        api.get("/Credentials/CR1"),
        service_api.get("/Credentials"),
    ):
        answer.refuses(404, 20404)
    assert api.get(f"/Credentials/{sid}").expect(200)["friendly_name"] is None
