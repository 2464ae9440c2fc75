"""Services: isolated from each other in one account, and the deletion of their objects."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.participant_setup import ADDRESS, PROXY_ADDRESS, make_role
from tests.resources.settings_setup import logged_events, new_account_api, new_service_api
from tests.support.phone_numbers import PROXY, phone_number
from tests.support.polling import eventually
from tests.support.server_database import connect, seed_push_binding

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server

BELOW = (
    "conversation",
    "participant",
    "message",
    "scoped_webhook",
    "chat_user",
    "role",
    "push_binding",
    "service_configuration",
    "service_notification",
    "service_webhook_configuration",
)


def test_a_service_is_shown_as_it_was_made(api: Api, server: Server) -> None:
    answer = api.post("/Services", FriendlyName="Branch")
    made = answer.expect(201)
    url = f"{api.base_url}/v1/Services/{made['sid']}"
    assert made == {
        "sid": made["sid"],
        "account_sid": api.sid,
        "friendly_name": "Branch",
        "date_created": made["date_created"],
        "date_updated": made["date_created"],
        "url": url,
        "links": {
            "conversations": f"{url}/Conversations",
            "users": f"{url}/Users",
            "roles": f"{url}/Roles",
            "bindings": f"{url}/Bindings",
            "configuration": f"{url}/Configuration",
            "participant_conversations": f"{url}/ParticipantConversations",
            "conversation_with_participants": f"{url}/ConversationWithParticipants",
        },
    }
    assert api.get(f"/Services/{made['sid']}").body == answer.body
    assert logged_events(server, made["account_sid"])[-1] == ("serviceChanged", made["sid"])
    api.post(f"/Services/{made['sid']}", FriendlyName="Other").refuses(405, 20004)


@pytest.mark.parametrize(
    ("form", "code"),
    [({}, 20001), ({"FriendlyName": ""}, 20001), ({"FriendlyName": "x" * 257}, 50003)],
)
def test_a_bad_name_makes_no_service(api: Api, form: dict[str, str], code: int) -> None:
    before = api.get("/Services?PageSize=100").expect(200)["services"]
    api.post("/Services", form).refuses(400, code)
    assert api.get("/Services?PageSize=100").expect(200)["services"] == before


def _fill(server: Server, service: Api) -> dict[str, Any]:
    """Create objects of every kind in a service."""
    sid = service.prefix.rpartition("/")[2]
    conversation = service.post("/Conversations", UniqueName="room").expect(201)
    path = f"/Conversations/{conversation['sid']}"
    service.post(f"{path}/Participants", Identity="alice").expect(201)
    pair = {ADDRESS: phone_number(), PROXY_ADDRESS: PROXY}
    service.post(f"{path}/Participants", pair).expect(201)
    service.post(f"{path}/Messages", Body="hello").expect(201)
    hook = {
        "Target": "webhook",
        "Configuration.Url": "https://example.com",
        "Configuration.Filters": "onMessageAdded",
    }
    service.post(f"{path}/Webhooks", hook).expect(201)
    make_role(service)
    service.post("/Configuration/Notifications", LogEnabled="true").expect(200)
    service.post("/Configuration/Webhooks", Method="GET").expect(200)
    seed_push_binding(server, str(service.sid), sid, "alice")
    return pair


def _rows(server: Server, service_sid: str) -> dict[str, int]:
    """Return the number of rows of a service in each table."""
    with closing(connect(server)) as connection:
        return {
            table: connection.execute(
                f"SELECT count(*) FROM {table} WHERE service_sid = ?", (service_sid,)
            ).fetchone()[0]
            for table in BELOW
        }


def test_a_service_is_deleted_with_its_contents(api: Api, server: Server) -> None:
    service, other = new_service_api(api), new_service_api(api)
    pair = _fill(server, service)
    _fill(server, other)
    sid, other_sid = (each.prefix.rpartition("/")[2] for each in (service, other))
    before = _rows(server, other_sid)
    assert all(_rows(server, sid).values())
    api.delete(f"/Services/{sid}").expect(204)
    api.delete(f"/Services/{sid}").refuses(404, 20404)
    for path in ("", "/Configuration", "/Roles", "/Conversations/room", "/Bindings"):
        service.get(path or f"/v1/Services/{sid}").refuses(404, 20404)
    # The pair of addresses is free at once; the rows are deleted in the background.
    again = other.post("/Conversations").expect(201)["sid"]
    other.post(f"/Conversations/{again}/Participants", pair).expect(201)
    eventually(lambda: _rows(server, sid), lambda rows: not any(rows.values()), seconds=20)
    other.delete(f"/Conversations/{again}").expect(204)
    assert _rows(server, other_sid) == before


def test_a_deleted_default_service_is_replaced_by_an_empty_one(server: Server) -> None:
    own = new_account_api(server)
    old = own.get("/Configuration").expect(200)["default_chat_service_sid"]
    own.post("/Conversations", UniqueName="room").expect(201)
    form = {"Type": "sms", "Address": phone_number(), "AutoCreation.ConversationServiceSid": old}
    address = own.post("/Configuration/Addresses", form).expect(201)["sid"]
    own.delete(f"/Services/{old}").expect(204)
    new = own.get("/Configuration").expect(200)["default_chat_service_sid"]
    assert new != old
    assert [each["sid"] for each in own.get("/Services").expect(200)["services"]] == [new]
    assert own.get("/Conversations").expect(200)["conversations"] == []
    assert own.post("/Conversations", UniqueName="room").expect(201)["chat_service_sid"] == new
    assert len(own.get("/Roles").expect(200)["roles"]) == 4
    rule = own.get(f"/Configuration/Addresses/{address}").expect(200)["auto_creation"]
    assert rule["conversation_service_sid"] is None
    names = logged_events(server, str(own.sid))
    assert ("serviceChanged", old) in names
    assert ("serviceChanged", new) in names
    assert ("accountChanged", own.sid) in names


def test_services_of_another_account_are_not_found(api: Api, foreign_api: Api) -> None:
    sid = new_service_api(api).prefix.rpartition("/")[2]
    foreign_api.get(f"/Services/{sid}").refuses(404, 20404)
    foreign_api.delete(f"/Services/{sid}").refuses(404, 20404)
    found = foreign_api.get("/Services?PageSize=100").expect(200)["services"]
    assert sid not in {each["sid"] for each in found}
    api.get(f"/Services/{sid}").expect(200)
