"""Push bindings: the devices of a service's users, listed, fetched and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.resources.participant_setup import DATE
from tests.resources.settings_setup import NOWHERE, logged_events, new_service_api
from tests.support.server_database import seed_push_binding

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server


class Devices:
    """A service with bindings, created as a client SDK does."""

    def __init__(self, server: Server, api: Api) -> None:
        self.server = server
        self.service = new_service_api(api)

    def seed(self, identity: str, kind: str = "fcm") -> str:
        sid = self.service.prefix.rpartition("/")[2]
        return seed_push_binding(self.server, str(self.service.sid), sid, identity, kind)

    def found(self, **query: str | list[str]) -> list[str]:
        page = self.service.get("/Bindings", query).expect(200)
        return [each["sid"] for each in page["bindings"]]


@pytest.fixture
def devices(server: Server, api: Api) -> Devices:
    return Devices(server, api)


def test_a_binding_is_shown_without_its_address(devices: Devices) -> None:
    sid = devices.seed("alice")
    shown = devices.service.get(f"/Bindings/{sid}").expect(200)
    assert list(shown) == [
        "sid",
        "account_sid",
        "chat_service_sid",
        "date_created",
        "date_updated",
        "endpoint",
        "identity",
        "binding_type",
        "credential_sid",
        "message_types",
        "url",
    ]
    assert shown["sid"] == sid
    assert shown["account_sid"] == devices.service.sid
    assert shown["chat_service_sid"] == devices.service.prefix.rpartition("/")[2]
    assert (shown["identity"], shown["endpoint"]) == ("alice", "alice-endpoint")
    assert shown["binding_type"] == "fcm"
    assert shown["credential_sid"].startswith("CR")
    assert shown["message_types"] == ["new_message", "added_to_conversation"]
    assert DATE.fullmatch(shown["date_created"])
    url = f"{devices.service.base_url}{devices.service.prefix}/Bindings/{sid}"
    assert shown["url"] == url


def test_filters_take_any_of_their_values(devices: Devices) -> None:
    alice, bob = devices.seed("alice"), devices.seed("bob", "apn")
    tablet, carol = devices.seed("alice", "apn"), devices.seed("carol", "twilsock")
    assert devices.found() == [alice, bob, tablet, carol]
    assert devices.found(Identity="alice") == [alice, tablet]
    assert devices.found(Identity=["bob", "carol", "nobody"]) == [bob, carol]
    assert devices.found(BindingType="apn") == [bob, tablet]
    assert devices.found(BindingType=["FCM", "twilsock", "gcm"]) == [alice, carol]
    assert devices.found(BindingType=["apn"] * 9) == [bob, tablet]
    assert devices.found(BindingType="apn", Identity=["alice", "carol"]) == [tablet]
    assert devices.found(Identity="Alice") == []
    assert devices.found(Identity="", BindingType="") == [alice, bob, tablet, carol]


def test_pages_keep_their_filters(devices: Devices) -> None:
    sids = [devices.seed("alice") for _ in range(5)]
    devices.seed("bob")
    query = {"Identity": ["alice", "x y"], "BindingType": "fcm", "PageSize": "2"}
    page = devices.service.get("/Bindings", query).expect(200)
    assert page["meta"]["key"] == "bindings"
    seen = [page]
    while seen[-1]["meta"]["next_page_url"] is not None:
        seen.append(devices.service.get(seen[-1]["meta"]["next_page_url"]).expect(200))
    assert [each["sid"] for page in seen for each in page["bindings"]] == sids
    back = devices.service.get(seen[-1]["meta"]["previous_page_url"]).expect(200)
    assert back["bindings"] == seen[-2]["bindings"]
    assert devices.service.get("/Bindings?PageSize=500").expect(200)["meta"]["page_size"] == 100


def test_bad_filters_are_refused(devices: Devices) -> None:
    devices.service.get("/Bindings?BindingType=sms").refuses(400, 50209)
    devices.service.get("/Bindings", {"BindingType": ["apn", "sms"]}).refuses(400, 50209)
    devices.service.get("/Bindings", Identity="x" * 257).refuses(400, 50207)
    many = {"Identity": [str(number) for number in range(21)]}
    devices.service.get("/Bindings", many).refuses(400, 20001)
    assert devices.found(Identity=many["Identity"][:20]) == []


def test_a_deleted_binding_is_not_found(devices: Devices) -> None:
    alice, bob = devices.seed("alice"), devices.seed("bob")
    devices.service.delete(f"/Bindings/{alice}").expect(204)
    assert logged_events(devices.server, str(devices.service.sid))[-1] == ("serviceChanged", alice)
    devices.service.delete(f"/Bindings/{alice}").refuses(404, 20404)
    devices.service.get(f"/Bindings/{alice}").refuses(404, 20404)
    assert devices.found() == [bob]


def test_nothing_is_made_or_changed_here(devices: Devices, api: Api, foreign_api: Api) -> None:
    sid = devices.seed("alice")
    devices.service.post("/Bindings", Identity="bob").refuses(405, 20004)
    devices.service.post(f"/Bindings/{sid}", Identity="bob").refuses(405, 20004)
    for place in (new_service_api(api), foreign_api.under(devices.service.prefix)):
        place.get(f"/Bindings/{sid}").refuses(404, 20404)
        place.delete(f"/Bindings/{sid}").refuses(404, 20404)
    for text in (NOWHERE["BS"], "alice"):
        devices.service.get(f"/Bindings/{text}").refuses(404, 20404)
    api.get("/Bindings").refuses(404, 20404)
    assert devices.found() == [sid]
