"""Conversations: created, fetched, updated and deleted, by sid and by unique name."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.resources.conversation_setup import at, make
from tests.resources.participant_setup import DATE
from tests.resources.unique_names import unique
from tests.support.client import Api
from tests.support.server_database import events

if TYPE_CHECKING:
    from tests.support.server import Server

KEYS = [
    "sid", "account_sid", "chat_service_sid", "messaging_service_sid", "friendly_name",
    "unique_name", "attributes", "date_created", "date_updated", "state", "timers", "bindings",
    "url", "links",
]  # fmt: skip
MESSAGING_SERVICE = "MG" + "0aB1" * 8


# --- Create and fetch


def test_a_conversation_needs_nothing(form_api: Api) -> None:
    answer = form_api.request("POST", "/Conversations")
    made = answer.expect(201)
    assert list(made) == KEYS
    assert made["sid"].startswith("CH")
    assert made["account_sid"] == form_api.sid
    assert made["messaging_service_sid"].startswith("MG")
    assert (made["friendly_name"], made["unique_name"]) == (None, None)
    assert (made["attributes"], made["state"]) == ("{}", "active")
    assert (made["timers"], made["bindings"]) == ({}, None)
    assert DATE.fullmatch(made["date_created"])
    assert made["date_updated"] == made["date_created"]
    url = f"{form_api.base_url}{form_api.prefix}/Conversations/{made['sid']}"
    assert made["url"] == url
    assert made["links"] == {
        "participants": f"{url}/Participants",
        "messages": f"{url}/Messages",
        "webhooks": f"{url}/Webhooks",
        "export": f"{url}/Export",
    }
    assert form_api.get(at(made)).body == answer.body


def test_all_parameters_are_stored(form_api: Api) -> None:
    form = {
        "FriendlyName": "ü" * 256,
        "UniqueName": unique("ü").ljust(256, "ü"),
        "Attributes": ' {"topic": "feedback", "n": 1.50} ',
        "DateCreated": "2020-05-04T11:42:00+02:00",
        "DateUpdated": "2021-05-04T09:42:00.999Z",
        "MessagingServiceSid": MESSAGING_SERVICE,
        "State": "INACTIVE",
        "Timers.Inactive": "PT1M",
        "Timers.Closed": "P1W",
        "Bindings.Email.Address": "help@example.com",
        "Bindings.Email.Name": "Help",
    }
    made = make(form_api, form)
    assert made["friendly_name"] == form["FriendlyName"]
    assert made["unique_name"] == form["UniqueName"]
    assert made["attributes"] == form["Attributes"]
    assert made["date_created"] == "2020-05-04T09:42:00Z"
    assert made["date_updated"] == "2021-05-04T09:42:00Z"
    assert made["messaging_service_sid"] == MESSAGING_SERVICE.replace("aB", "ab")
    assert made["state"] == "inactive"
    assert list(made["timers"]) == ["date_closed"]
    assert made["bindings"] == {"email": {"projected_address": "help@example.com", "name": "Help"}}
    assert form_api.get(at(made)).expect(200) == made


@pytest.mark.parametrize("name", ["order 4711", "a/b", "Ä+ü", "50%", "CH123", "user@example.com"])
def test_a_unique_name_finds_its_conversation(form_api: Api, name: str) -> None:
    name = unique(name)
    made = make(form_api, {"UniqueName": name})
    assert form_api.get(f"/Conversations/{quote(name, safe='')}").expect(200) == made
    if not set(name) & set("%/"):
        assert form_api.get(f"/Conversations/{name}").expect(200) == made
    assert form_api.get(f"/Conversations/CH{made['sid'][2:].upper()}").expect(200) == made
    below = f"/Conversations/{quote(name, safe='')}/Participants"
    member = form_api.post(below, Identity="a").expect(201)
    assert member["conversation_sid"] == made["sid"]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"FriendlyName": "x" * 257}, 50003),
        ({"UniqueName": "x" * 257}, 50004),
        ({"UniqueName": "CH" + "aF" * 16}, 50390),
        ({"DateCreated": "yesterday"}, 50308),
        ({"DateUpdated": "2020-13-01"}, 50309),
        ({"MessagingServiceSid": "MG1"}, 50341),
        ({"Attributes": "{"}, 50304),
        ({"Attributes": '"' + "x" * 16383 + '"'}, 50303),
        ({"State": ""}, 50374),
        ({"State": "open"}, 50378),
        ({"State": "initializing"}, 50378),
        ({"Timers.Inactive": "P1Y"}, 50379),
        ({"Timers.Inactive": "P1M"}, 50379),
        ({"Timers.Inactive": ""}, 50379),
        ({"Timers.Inactive": "PT59S"}, 50375),
        ({"Timers.Closed": "ten minutes"}, 50380),
        ({"Timers.Closed": "PT9M59S"}, 50376),
        ({"Bindings.Email.Address": "x" * 257}, 20001),
    ],
)
def test_a_bad_value_is_refused_on_create_and_update(
    server: Server, form_api: Api, form: dict[str, str], code: int
) -> None:
    form_api.post("/Conversations", form).refuses(400, code)
    made = make(form_api)
    form_api.post(at(made), {"FriendlyName": "x", **form}).refuses(400, code)
    assert form_api.get(at(made)).expect(200) == made
    assert len(events(server, made["account_sid"], made["sid"])) == 1


def test_a_conversation_does_not_begin_closed(form_api: Api) -> None:
    form_api.post("/Conversations", State="closed").refuses(400, 50384)


def test_a_unique_name_is_taken_by_one_conversation_of_a_service(
    api: Api, service_api: Api, foreign_api: Api
) -> None:
    name = unique("order")
    made = make(api, {"UniqueName": name})
    error = api.post("/Conversations", UniqueName=name).refuses(409, 50353)
    assert error["message"] == "Conversation with provided unique name already exists"
    for other in (service_api, foreign_api):
        assert make(other, {"UniqueName": name})["sid"] != made["sid"]
    second = make(api)
    api.post(at(second), UniqueName=name).refuses(409, 50353)
    assert api.post(at(made), UniqueName=name).expect(200)["unique_name"] == name
    api.post(at(made), State="closed").expect(200)
    api.post("/Conversations", UniqueName=name).refuses(409, 50353)
    api.delete(at(made)).expect(204)
    assert api.post(at(second), UniqueName=name).expect(200)["unique_name"] == name


def test_an_empty_unique_name_is_none_and_many_have_none(form_api: Api) -> None:
    name = unique("named")
    made = make(form_api, {"UniqueName": name})
    assert form_api.post(at(made), UniqueName="").expect(200)["unique_name"] is None
    form_api.get(f"/Conversations/{name}").refuses(404, 20404)
    assert make(form_api, {"UniqueName": ""})["unique_name"] is None


# --- Who sees it


@pytest.mark.promise("50350", 20404)
@pytest.mark.promise("reference/quirks.md", "Where REST answers 20404")
def test_a_conversation_of_elsewhere_looks_like_a_missing_one(
    api: Api, service_api: Api, foreign_api: Api
) -> None:
    made = make(api, {"UniqueName": unique("mine")})
    paths = (at(made), f"/Conversations/{made['unique_name']}", f"/Conversations/CH{'0' * 32}")
    for other in (service_api, foreign_api):
        for path in paths:
            other.get(path).refuses(404, 20404)
            other.post(path, FriendlyName="x").refuses(404, 20404)
            other.delete(path).refuses(404, 20404)
            other.get(f"{path}/Participants").refuses(404, 20404)
    message = foreign_api.get(f"{at(made)}/Participants").json["message"]
    assert message == f"The requested resource {at(made)}/Participants was not found"
    assert api.get(at(made)).expect(200) == made


def test_invalid_credentials_get_401(api: Api) -> None:
    made = make(api)
    for client in (api.signed(None, None), api.signed(api.sid, "wrong"), api.signed("AC1", "x")):
        client.get(at(made)).refuses(401, 20003)
        client.delete(at(made)).refuses(401, 20003)
    api.get(at(made)).expect(200)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_other_methods_are_not_offered(form_api: Api, method: str) -> None:
    made = make(form_api)
    form_api.request(method, at(made)).refuses(405, 20004)
    form_api.request(method, "/Conversations").refuses(405, 20004)


# --- Update


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"FriendlyName": "New"}, {"friendly_name": "New"}),
        ({"FriendlyName": ""}, {}),
        ({"Attributes": "[1, 2]"}, {"attributes": "[1, 2]"}),
        ({"Attributes": ""}, {"attributes": "{}"}),
        ({"DateCreated": "2020-01-01"}, {"date_created": "2020-01-01T00:00:00Z"}),
        ({"DateUpdated": "2020-01-01"}, {"date_updated": "2020-01-01T00:00:00Z"}),
        ({"MessagingServiceSid": "MG" + "1" * 32}, {"messaging_service_sid": "MG" + "1" * 32}),
        ({"State": "Inactive"}, {"state": "inactive"}),
        ({"State": "active"}, {}),
        (
            {"Bindings.Email.Address": "a@example.com"},
            {"bindings": {"email": {"projected_address": "a@example.com", "name": None}}},
        ),
    ],
)
def test_an_update_changes_only_the_given_parameters(
    form_api: Api, form: dict[str, str], expected: dict[str, Any]
) -> None:
    made = make(
        form_api,
        {"FriendlyName": "Old", "Attributes": '{"a":1}', "UniqueName": unique("kept")}
        | {"DateUpdated": "2020-02-02T00:00:00Z"},
    )
    after = form_api.post(at(made), form).expect(200)
    assert list(after) == KEYS
    if "date_updated" not in expected:
        assert after["date_updated"] > "2025"
    assert after == {**made, "date_updated": after["date_updated"], **expected}
    assert form_api.get(at(made)).expect(200) == after


def test_an_email_binding_is_cleared_by_empty_values(form_api: Api) -> None:
    form = {"Bindings.Email.Address": "a@example.com", "Bindings.Email.Name": "A"}
    made = make(form_api, form)
    cleared = form_api.post(at(made), dict.fromkeys(form, "")).expect(200)
    assert cleared["bindings"] is None


@pytest.mark.parametrize("form", [{}, {"Unknown": "x"}, {"friendlyname": "x"}])
@pytest.mark.promise("reference/quirks.md", "An update without a known parameter is refused: 50347")
def test_an_update_without_a_known_parameter_is_refused(
    form_api: Api, form: dict[str, str]
) -> None:
    form_api.post(at(make(form_api)), form).refuses(400, 50347)


def test_a_missing_conversation_precedes_an_invalid_parameter(form_api: Api) -> None:
    form_api.post("/Conversations/nowhere", Attributes="{").refuses(404, 20404)


# --- Delete


def test_a_removed_conversation_is_deleted_with_all_below_it(form_api: Api) -> None:
    made = make(form_api, {"UniqueName": unique("gone")})
    member = form_api.post(f"{at(made)}/Participants", Identity=unique("stays")).expect(201)
    message = form_api.post(f"{at(made)}/Messages", Body="x").expect(201)
    answer = form_api.delete(f"/Conversations/{made['unique_name']}")
    assert (answer.status, answer.body) == (204, b"")
    for path in (
        at(made),
        f"/Conversations/{made['unique_name']}",
        f"{at(made)}/Participants/{member['sid']}",
        f"{at(made)}/Messages/{message['sid']}",
        f"/Users/{member['identity']}/Conversations/{made['sid']}",
    ):
        form_api.get(path).refuses(404, 20404)
    form_api.delete(at(made)).refuses(404, 20404)
    form_api.get(f"/Users/{member['identity']}").expect(200)
    found = form_api.get("/ParticipantConversations", Identity=member["identity"]).expect(200)
    assert found["conversations"] == []


def test_a_closed_conversation_can_be_removed(form_api: Api) -> None:
    made = make(form_api)
    form_api.post(at(made), State="closed").expect(200)
    form_api.delete(at(made)).expect(204)


# --- Events


@pytest.mark.parametrize(("header", "fires"), [("TRUE", True), ("1", False), ("false", False)])
def test_webhooks_are_called_only_with_the_header(
    server: Server, form_api: Api, header: str, fires: bool
) -> None:
    headers = {"X-Twilio-Webhook-Enabled": header}
    made = form_api.post("/Conversations", headers=headers).expect(201)
    form_api.post(at(made), FriendlyName="x", headers=headers).expect(200)
    form_api.post(at(made), State="inactive", headers=headers).expect(200)
    form_api.post(at(made), State="inactive", headers=headers).expect(200)
    form_api.delete(at(made), headers=headers).expect(204)
    assert events(server, made["account_sid"], made["sid"]) == [
        ("onConversationAdded", fires),
        ("onConversationUpdated", fires),
        ("onConversationUpdated", fires),
        ("onConversationStateUpdated", fires),
        ("onConversationUpdated", fires),
        ("onConversationRemoved", fires),
    ]


# --- Timers as they are shown


def test_timers_are_shown_as_the_dates_at_which_they_act(form_api: Api) -> None:
    begun = time.time()
    made = make(form_api, {"Timers.Inactive": "PT1H", "Timers.Closed": "P1DT1H"})
    assert list(made["timers"]) == ["date_inactive", "date_closed"]
    for name, seconds in (("date_inactive", 3600), ("date_closed", 25 * 3600)):
        assert abs(seconds_of(made["timers"][name]) - begun - seconds) < 5
    off = form_api.post(at(made), {"Timers.Inactive": "PT0S"}).expect(200)
    assert off["timers"] == {"date_closed": off["timers"]["date_closed"]}
    off = form_api.post(at(made), {"Timers.Closed": "PT0S"}).expect(200)
    assert off["timers"] == {}


def test_an_inactive_conversation_has_only_the_timer_to_closed(form_api: Api) -> None:
    made = make(form_api, {"Timers.Inactive": "PT1H", "Timers.Closed": "PT2H"})
    inactive = form_api.post(at(made), State="inactive").expect(200)
    assert list(inactive["timers"]) == ["date_closed"]
    active = form_api.post(at(made), State="active").expect(200)
    assert list(active["timers"]) == ["date_inactive", "date_closed"]
    assert form_api.post(at(made), State="closed").expect(200)["timers"] == {}


def seconds_of(date: str) -> float:
    """Return the seconds since 1970 of a date in a response."""
    return float(time.mktime(time.strptime(date + "+0000", "%Y-%m-%dT%H:%M:%SZ%z")) - time.timezone)


def test_an_account_has_timers_of_its_own_for_new_conversations(server: Server) -> None:
    client = Api(server.base_url, *server.make_account())
    form = {"DefaultInactiveTimer": "PT5M", "DefaultClosedTimer": "PT20M"}
    client.post("/Configuration", form).expect(200)
    assert list(make(client)["timers"]) == ["date_inactive", "date_closed"]
    assert list(make(client, {"Timers.Inactive": "PT0S"})["timers"]) == ["date_closed"]
    client.close()
