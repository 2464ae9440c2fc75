"""The checklist of a compatible server, one test for each line, over plain HTTP."""

from __future__ import annotations

import base64
import json
import re
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client import Api, send_bytes
from tests.support.phone_numbers import PROXY, phone_number
from tests.support.polling import eventually
from tests.support.server_database import events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Server

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
REQUEST_ID = re.compile(r"RQ[0-9a-f]{32}")


def unique(word: str) -> str:
    return f"{word}-{secrets.token_hex(4)}"


def make_conversation(api: Api, **form: str) -> dict[str, Any]:
    made: dict[str, Any] = api.post("/Conversations", form).expect(201)
    return made


def make_participant(api: Api, conversation_sid: str, **form: str) -> dict[str, Any]:
    path = f"/Conversations/{conversation_sid}/Participants"
    made: dict[str, Any] = api.post(path, form).expect(201)
    return made


def binding(address: str, proxy: str = PROXY) -> dict[str, str]:
    return {"MessagingBinding.Address": address, "MessagingBinding.ProxyAddress": proxy}


def dates_in(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from dates_in(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from dates_in(item, name)
    elif ("date_" in name or "timestamp" in name) and value is not None:
        yield value


def test_01_a_page_size_above_the_maximum_is_clamped(form_api: Api) -> None:
    page = form_api.get("/Conversations?PageSize=1000").expect(200)
    assert page["meta"]["page_size"] == 100
    assert page["meta"]["key"] == "conversations"


def test_02_a_page_size_of_zero_is_rejected(form_api: Api) -> None:
    error = form_api.get("/Conversations?PageSize=0").refuses(400, 20001)
    assert error["message"] == "Invalid PageSize."


def test_03_every_date_is_utc_in_whole_seconds(form_api: Api) -> None:
    conversation = make_conversation(
        form_api,
        DateCreated="2023-05-04T11:42:00.987+02:00",
        **{"Timers.Inactive": "PT1M", "Timers.Closed": "PT10M"},
    )
    assert conversation["date_created"] == "2023-05-04T09:42:00Z"
    path = f"/Conversations/{conversation['sid']}"
    alice = unique("alice")
    made = make_participant(form_api, conversation["sid"], Identity=alice)
    form_api.post(f"{path}/Messages", Body="x").expect(201)
    form_api.post(f"{path}/Participants/{made['sid']}", LastReadMessageIndex=0).expect(200)
    answers = [
        form_api.get(place).expect(200)
        for place in (
            "/Conversations",
            f"{path}/Messages",
            f"{path}/Participants",
            "/Roles",
            "/Users",
            f"/Users/{alice}/Conversations",
            f"/ParticipantConversations?Identity={alice}",
            "/v1/Services",
        )
    ]
    shown = list(dates_in(answers))
    assert len(shown) > 20
    assert [date for date in shown if not DATE.fullmatch(date)] == []


def test_04_the_next_page_is_on_this_server_and_needs_no_other_credentials(form_api: Api) -> None:
    conversation = make_conversation(form_api)
    path = f"/Conversations/{conversation['sid']}/Messages"
    sids = [form_api.post(path, Body=str(n)).expect(201)["sid"] for n in range(5)]
    url: str | None = f"{path}?PageSize=2"
    seen = []
    while url is not None:
        page = form_api.get(url).expect(200)
        seen += [message["sid"] for message in page["messages"]]
        url = page["meta"]["next_page_url"]
        assert url is None or url.startswith(f"{form_api.base_url}{form_api.prefix}{path}?")
    assert seen == sids
    assert page["meta"]["page"] == 2
    back = form_api.get(page["meta"]["previous_page_url"]).expect(200)
    assert [message["sid"] for message in back["messages"]] == sids[2:4]


def test_05_a_create_without_a_body_gives_the_defaults(form_api: Api) -> None:
    made = form_api.request("POST", "/Conversations").expect(201)
    assert (made["state"], made["attributes"]) == ("active", "{}")
    assert (made["timers"], made["bindings"]) == ({}, None)
    assert (made["friendly_name"], made["unique_name"]) == (None, None)
    assert made["date_created"] == made["date_updated"]
    assert list(made) == [
        "sid",
        "account_sid",
        "chat_service_sid",
        "messaging_service_sid",
        "friendly_name",
        "unique_name",
        "attributes",
        "date_created",
        "date_updated",
        "state",
        "timers",
        "bindings",
        "url",
        "links",
    ]


def test_06_a_fetch_by_unique_name_equals_a_fetch_by_sid(form_api: Api) -> None:
    name = unique("order")
    made = make_conversation(form_api, UniqueName=name)
    by_name = form_api.get(f"/Conversations/{name}")
    assert by_name.body == form_api.get(f"/Conversations/{made['sid']}").body
    assert by_name.expect(200)["url"].endswith(f"/Conversations/{made['sid']}")


def test_07_a_taken_unique_name_is_a_conflict(form_api: Api) -> None:
    name = unique("order")
    make_conversation(form_api, UniqueName=name)
    error = form_api.post("/Conversations", UniqueName=name).refuses(409, 50353)
    assert error["message"] == "Conversation with provided unique name already exists"


def test_07_a_taken_user_identity_is_a_conflict(form_api: Api) -> None:
    identity = unique("alice")
    form_api.post("/Users", Identity=identity).expect(201)
    error = form_api.post("/Users", Identity=identity).refuses(409, 50201)
    assert error["message"] == "User already exists"


def test_07_a_second_participant_of_one_identity_is_a_conflict(form_api: Api) -> None:
    conversation = make_conversation(form_api)
    make_participant(form_api, conversation["sid"], Identity="alice")
    path = f"/Conversations/{conversation['sid']}/Participants"
    error = form_api.post(path, Identity="alice").refuses(409, 50433)
    assert error["message"] == "Participant already exists"


def test_07_an_address_pair_in_use_names_its_conversation(form_api: Api) -> None:
    holder, other = make_conversation(form_api), make_conversation(form_api)
    pair = binding(phone_number())
    make_participant(form_api, holder["sid"], **pair)
    error = form_api.post(f"/Conversations/{other['sid']}/Participants", pair).refuses(409, 50416)
    assert error["message"] == (
        "A binding for this participant and proxy address already exists"
        f" in Conversation {holder['sid']}"
    )


def test_08_an_unknown_parent_is_reported_with_the_whole_path(form_api: Api) -> None:
    error = form_api.get("/Conversations/nope/Messages").refuses(404, 20404)
    place = form_api.prefix.removeprefix("/v1") + "/Conversations/nope/Messages"
    assert error["message"] == f"The requested resource {place} was not found"


def test_09_a_message_without_an_author_is_of_the_system(form_api: Api) -> None:
    conversation = make_conversation(form_api)
    path = f"/Conversations/{conversation['sid']}/Messages"
    message = form_api.post(path, Body="Hello").expect(201)
    assert (message["author"], message["participant_sid"]) == ("system", None)
    assert (message["delivery"], message["media"]) == (None, None)


def test_10_indexes_start_at_zero_and_are_never_reused(form_api: Api) -> None:
    conversation = make_conversation(form_api)
    path = f"/Conversations/{conversation['sid']}/Messages"
    first = form_api.post(path, Body="Hello").expect(201)
    assert first["index"] == 0
    form_api.delete(f"{path}/{first['sid']}").expect(204)
    assert form_api.post(path, Body="Hello").expect(201)["index"] == 1


@pytest.mark.parametrize("order", ["DESC", "desc", "Desc"])
def test_11_the_order_may_be_given_in_any_case(form_api: Api, order: str) -> None:
    conversation = make_conversation(form_api)
    path = f"/Conversations/{conversation['sid']}/Messages"
    for body in ("one", "two", "three"):
        form_api.post(path, Body=body).expect(201)
    page = form_api.get(f"{path}?Order={order}").expect(200)
    assert [message["body"] for message in page["messages"]] == ["three", "two", "one"]


def test_12_only_the_service_form_shows_the_service_below_a_conversation(
    api: Api, service_api: Api
) -> None:
    for form_api, shows in ((api, False), (service_api, True)):
        conversation = make_conversation(form_api)
        path = f"/Conversations/{conversation['sid']}"
        make_participant(form_api, conversation["sid"], **binding(phone_number()))
        message = form_api.post(f"{path}/Messages", Body="x").expect(201)
        hook = {"Target": "studio", "Configuration.FlowSid": "FW" + "0" * 32}
        form_api.post(f"{path}/Webhooks", hook).expect(201)
        receipts = f"{path}/Messages/{message['sid']}/Receipts"
        for place, key in (
            (f"{path}/Messages", "messages"),
            (f"{path}/Participants", "participants"),
            (f"{path}/Webhooks", "webhooks"),
            (receipts, "delivery_receipts"),
        ):
            found = eventually(lambda: form_api.get(place).expect(200)[key], bool)  # noqa: B023
            (item,) = found
            assert ("chat_service_sid" in item) is shows
            assert not shows or item["chat_service_sid"] == conversation["chat_service_sid"]


@pytest.mark.parametrize(
    ("value", "fires"), [(None, False), ("TRUE", True), ("true", True), ("false", False)]
)
def test_13_a_rest_change_fires_webhooks_only_with_the_header(
    server: Server, form_api: Api, value: str | None, fires: bool
) -> None:
    headers = {"X-Twilio-Webhook-Enabled": value} if value else {}
    made = form_api.post("/Conversations", headers=headers).expect(201)
    path = f"/Conversations/{made['sid']}/Messages"
    form_api.post(path, Body="x", headers=headers).expect(201)
    recorded = dict(events(server, made["account_sid"], made["sid"]))
    assert recorded["onConversationAdded"] is fires
    assert recorded["onMessageAdded"] is fires


def test_14_the_closed_state_is_final(form_api: Api) -> None:
    conversation = make_conversation(form_api)
    path = f"/Conversations/{conversation['sid']}"
    pair = binding(phone_number())
    member = make_participant(form_api, conversation["sid"], **pair)
    message = form_api.post(f"{path}/Messages", Body="x").expect(201)
    assert form_api.post(path, State="closed").expect(200)["timers"] == {}
    for place, form in (
        (path, {"State": "active"}),
        (path, {"State": "closed"}),
        (path, {"FriendlyName": "x"}),
        (f"{path}/Messages", {"Body": "x"}),
        (f"{path}/Messages/{message['sid']}", {"Body": "y"}),
        (f"{path}/Participants", {"Identity": "alice"}),
        (f"{path}/Participants/{member['sid']}", {"Attributes": "{}"}),
    ):
        form_api.post(place, form).refuses(400, 50377)
    assert form_api.get(path).expect(200)["state"] == "closed"
    make_participant(form_api, make_conversation(form_api)["sid"], **pair)


def test_15_a_message_activates_an_inactive_conversation(form_api: Api) -> None:
    conversation = make_conversation(form_api, State="inactive")
    path = f"/Conversations/{conversation['sid']}"
    assert conversation["state"] == "inactive"
    form_api.post(f"{path}/Messages", Body="x").expect(201)
    assert form_api.get(path).expect(200)["state"] == "active"


def test_16_a_create_with_participants_returns_202(form_api: Api) -> None:
    collection = "/ConversationWithParticipants"
    assert form_api.post(collection, FriendlyName="x").expect(201)["state"] == "active"
    participant = json.dumps({"identity": unique("alice")})
    made = form_api.post(collection, Participant=[participant]).expect(202)
    assert made["state"] == "initializing"
    path = f"/Conversations/{made['sid']}"
    eventually(
        lambda: form_api.get(path).expect(200)["state"], lambda state: state == "active", seconds=2
    )
    assert len(form_api.get(f"{path}/Participants").expect(200)["participants"]) == 1


def test_17_a_new_service_has_roles_and_empty_settings(api: Api) -> None:
    service = api.post("/Services", FriendlyName="New").expect(201)
    at = api.service(service["sid"])
    roles = {role["sid"]: role for role in at.get("/Roles").expect(200)["roles"]}
    named = {role["friendly_name"]: role["type"] for role in roles.values()}
    assert named == {
        "service admin": "service",
        "service user": "service",
        "channel admin": "conversation",
        "channel user": "conversation",
    }
    settings = at.get("/Configuration").expect(200)
    defaults = [settings[key] for key in settings if key.endswith("_role_sid")]
    assert [roles[sid]["friendly_name"] for sid in defaults] == [
        "channel admin",
        "channel user",
        "service user",
    ]
    notifications = at.get("/Configuration/Notifications").expect(200)
    for name in ("new_message", "added_to_conversation", "removed_from_conversation"):
        assert notifications[name] == {"enabled": False}
    webhooks = at.get("/Configuration/Webhooks").expect(200)
    for name in ("pre_webhook_url", "post_webhook_url", "filters", "method"):
        assert webhooks[name] is None


def test_18_an_update_of_a_role_replaces_its_permissions(form_api: Api) -> None:
    form = {"FriendlyName": "reader", "Type": "conversation"}
    permissions = ["leaveConversation", "editNotificationLevel"]
    role = form_api.post("/Roles", {**form, "Permission": permissions}).expect(201)
    assert role["permissions"] == permissions
    changed = form_api.post(f"/Roles/{role['sid']}", Permission=["sendMessage"]).expect(200)
    assert changed["permissions"] == ["sendMessage"]
    assert form_api.get(f"/Roles/{role['sid']}").expect(200)["permissions"] == ["sendMessage"]


def test_19_a_service_cannot_be_updated_but_deleted_once(api: Api) -> None:
    service = api.post("/Services", FriendlyName="x").expect(201)
    path = f"/Services/{service['sid']}"
    refused = api.post(path, FriendlyName="y")
    refused.refuses(405, 20004)
    assert {word.strip() for word in refused.headers["Allow"].split(",")} >= {"GET", "DELETE"}
    assert api.get(path).expect(200)["friendly_name"] == "x"
    assert api.delete(path).status == 204
    api.delete(path).refuses(404, 20404)


def test_20_a_wrong_password_is_rejected_with_json(api: Api) -> None:
    for stranger in (
        api.signed(api.sid, "wrong"),
        api.signed("AC" + "0" * 32, api.token),
        api.signed("SK" + "0" * 32, api.token),
        api.signed(api.sid, ""),
        api.signed(None, None),
    ):
        refused = stranger.get("/Conversations")
        assert refused.refuses(401, 20003)["message"] == "Authenticate"
        assert refused.headers["Content-Type"].startswith("application/json")
        assert refused.headers["WWW-Authenticate"] == 'Basic realm="Twilio API"'


def test_21_the_word_null_removes_a_projected_address(form_api: Api) -> None:
    conversation = make_conversation(form_api)
    path = f"/Conversations/{conversation['sid']}/Participants"
    number = phone_number()
    form = {"Identity": unique("alice"), "MessagingBinding.ProjectedAddress": number}
    made = form_api.post(path, form).expect(201)
    assert made["messaging_binding"] == {"type": "sms", "projected_address": number}
    removal = {"MessagingBinding.ProjectedAddress": "null"}
    changed = form_api.post(f"{path}/{made['sid']}", removal).expect(200)
    assert (changed["identity"], changed["messaging_binding"]) == (form["Identity"], None)
    form_api.post(f"{path}/{made['sid']}", removal).refuses(400, 50442)


def test_22_nothing_is_counted_as_unread_before_the_first_read(form_api: Api) -> None:
    conversation = make_conversation(form_api)
    alice = unique("alice")
    make_participant(form_api, conversation["sid"], Identity=alice)
    form_api.post(f"/Conversations/{conversation['sid']}/Messages", Body="x").expect(201)
    path = f"/Users/{alice}/Conversations/{conversation['sid']}"
    before = form_api.get(path).expect(200)
    assert (before["unread_messages_count"], before["last_read_message_index"]) == (None, None)
    after = form_api.post(path, LastReadMessageIndex=0).expect(200)
    assert (after["unread_messages_count"], after["last_read_message_index"]) == (0, 0)


def test_23_the_sandbox_of_a_credential_is_a_word_and_secrets_stay(api: Api) -> None:
    hidden = unique("hidden")
    form = {"Type": "apn", "Certificate": hidden, "PrivateKey": hidden, "Sandbox": "true"}
    made = api.post("/Credentials", form)
    assert made.expect(201)["sandbox"] == "True"
    fetched = api.get(f"/Credentials/{made.json['sid']}")
    changed = api.post(f"/Credentials/{made.json['sid']}", Secret=hidden, Sandbox="false")
    assert changed.expect(200)["sandbox"] == "False"
    for answer in (made, fetched, changed, api.get("/Credentials")):
        assert hidden.encode() not in answer.body


@pytest.mark.parametrize("identity", ["user@example.com", "a b", "whatsapp:+15558675310", "ü"])
def test_24_identities_work_raw_and_percent_encoded(form_api: Api, identity: str) -> None:
    conversation = make_conversation(form_api)
    member = make_participant(form_api, conversation["sid"], Identity=identity)
    path = f"/Conversations/{conversation['sid']}/Participants"
    every_byte = "".join(f"%{byte:02x}" for byte in identity.encode())
    for word in (identity, every_byte, every_byte.upper()):
        assert form_api.get(f"{path}/{word}").expect(200)["sid"] == member["sid"]
        assert form_api.get(f"/Users/{word}").expect(200)["identity"] == identity
        user_conversation = form_api.get(f"/Users/{word}/Conversations/{conversation['sid']}")
        assert user_conversation.expect(200)["participant_sid"] == member["sid"]


def test_24_bytes_that_http_does_not_allow_in_a_path_are_rejected_with_json(api: Api) -> None:
    path = "/v1/Users/jürgen"
    pair = base64.b64encode(f"{api.sid}:{api.token}".encode()).decode()
    for raw in (path, "/v1/Users/a b"):
        request = f"GET {raw} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {pair}\r\n\r\n"
        send_bytes(api.base_url, request.encode()).refuses(400, 20001)


def test_25_every_response_has_a_request_id_and_the_cors_headers(api: Api) -> None:
    made = api.post("/Conversations")
    answers = [
        made,
        api.get("/Conversations"),
        api.get("/Conversations/nope"),
        api.get("/nothing/here"),
        api.request("PUT", "/Conversations"),
        api.signed(None, None).get("/Conversations"),
        api.delete(f"/Conversations/{made.json['sid']}"),
        api.request("OPTIONS", "/Conversations"),
        api.request("HEAD", "/Conversations"),
    ]
    for answer in answers:
        assert REQUEST_ID.fullmatch(answer.headers["Twilio-Request-Id"])
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE, OPTIONS"
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert answer.headers["Access-Control-Expose-Headers"] == "ETag"
        allowed = {
            word.strip() for word in answer.headers["Access-Control-Allow-Headers"].split(",")
        }
        assert allowed >= {"Accept", "Authorization", "Content-Type", "Idempotency-Key"}
    assert len({answer.headers["Twilio-Request-Id"] for answer in answers}) == len(answers)
