"""Participants: added in every form, fetched, listed and removed."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.resources.participant_setup import (
    ADDRESS,
    DATE,
    PROJECTED_ADDRESS,
    PROXY_ADDRESS,
    ConversationClient,
    make_role,
)
from tests.resources.unique_names import unique
from tests.support.client import Api
from tests.support.phone_numbers import PROXY, phone_number

if TYPE_CHECKING:
    from tests.support.server import Server

KEYS = [
    "account_sid", "chat_service_sid", "conversation_sid", "sid", "identity", "attributes",
    "messaging_binding", "role_sid", "date_created", "date_updated", "url",
    "last_read_message_index", "last_read_timestamp",
]  # fmt: skip


@pytest.fixture
def client(server: Server, form_api: Api) -> ConversationClient:
    return ConversationClient.make(server, form_api)


def keys_of(client: ConversationClient) -> list[str]:
    """Return the keys in order: only the service form has the service."""
    in_service = "/Services/" in client.api.prefix
    return [key for key in KEYS if in_service or key != "chat_service_sid"]


# --- Responses for each kind


def test_a_chat_participant_is_shown_with_every_key_in_order(
    client: ConversationClient,
) -> None:
    identity = unique("alice")
    answer = client.api.post(client.path, Identity=identity)
    made = answer.expect(201)
    assert list(made) == keys_of(client)
    assert made["account_sid"] == client.api.sid
    assert (
        made.get("chat_service_sid", client.resource["chat_service_sid"])
        == (client.resource["chat_service_sid"])
    )
    assert made["conversation_sid"] == client.sid
    assert made["sid"].startswith("MB")
    assert (made["identity"], made["attributes"]) == (identity, "{}")
    assert made["messaging_binding"] is None
    assert made["role_sid"] == client.default_role()
    assert DATE.fullmatch(made["date_created"])
    assert made["date_updated"] == made["date_created"]
    assert made["url"] == f"{client.resource['url']}/Participants/{made['sid']}"
    assert (made["last_read_message_index"], made["last_read_timestamp"]) == (None, None)
    assert client.fetch(made) == answer.body


@pytest.mark.channel("C1", "C2")
@pytest.mark.parametrize(
    ("prefix", "kind"), [("", "sms"), ("whatsapp:", "whatsapp"), ("rcs:", "rcs")]
)
def test_an_address_is_reached_through_a_proxy(
    client: ConversationClient, prefix: str, kind: str
) -> None:
    address, proxy = f"{prefix}{phone_number()}", f"{prefix}{PROXY}"
    made = client.add({ADDRESS: address, PROXY_ADDRESS: proxy})
    assert made["identity"] is None
    assert made["role_sid"] == client.default_role()
    assert list(made["messaging_binding"].items()) == [
        ("type", kind),
        ("address", address),
        ("proxy_address", proxy),
    ]


@pytest.mark.parametrize("address", ["messenger:4711", "gbm:abc-1", "urn:mbid:AQ+/="])
def test_other_channels_have_addresses_of_their_own(
    client: ConversationClient, address: str
) -> None:
    address += secrets.token_hex(4)
    prefix = {"m": "messenger:", "g": "gbm:", "u": "apple:"}[address[0]]
    made = client.add({ADDRESS: address, PROXY_ADDRESS: f"{prefix}page"})
    assert made["messaging_binding"]["address"] == address


@pytest.mark.channel("2")
@pytest.mark.promise("reference/quirks.md", "over REST it is refused with 50453")
def test_mail_has_no_proxy(client: ConversationClient) -> None:
    address = f"{unique('erin')}@example.com"
    made = client.add({ADDRESS: address})
    assert made["messaging_binding"] == {"type": "email", "address": address, "level": "to"}
    other = f"{unique('erin')}@example.com"
    for proxy in (PROXY, "desk@example.com"):
        client.api.post(client.path, {ADDRESS: other, PROXY_ADDRESS: proxy}).refuses(400, 50453)


@pytest.mark.channel("C1", "C2")
def test_group_members_are_shown_with_their_bindings(client: ConversationClient) -> None:
    ours, theirs = phone_number(), phone_number()
    bare = client.add({PROJECTED_ADDRESS: ours})
    assert (bare["identity"], bare["role_sid"]) == (None, None)
    assert bare["messaging_binding"] == {"type": "sms", "projected_address": ours}
    native = client.add({ADDRESS: theirs})
    assert native["role_sid"] is None
    assert native["messaging_binding"] == {"type": "sms", "address": theirs}
    for identity in ("carol", "dave"):
        chat = client.add({"Identity": identity, PROJECTED_ADDRESS: ours})
        assert chat["role_sid"] == client.default_role()
        assert chat["messaging_binding"] == {"type": "sms", "projected_address": ours}


def test_all_parameters_are_stored(client: ConversationClient) -> None:
    role_sid = make_role(client.api)
    form = {
        "Identity": unique("ü").ljust(256, "ü"),
        "Attributes": '"' + "x" * 4094 + '"',
        "RoleSid": role_sid,
        "DateCreated": "2020-05-04T11:42:00+02:00",
        "DateUpdated": "2021-05-04",
    }
    made = client.api.post(client.path, form).expect(201)
    assert (made["identity"], made["attributes"]) == (form["Identity"], form["Attributes"])
    assert made["role_sid"] == role_sid
    assert made["date_created"] == "2020-05-04T09:42:00Z"
    assert made["date_updated"] == "2021-05-04T00:00:00Z"


def test_empty_values_count_as_absent(client: ConversationClient) -> None:
    form = {"Identity": "alice", ADDRESS: "", PROXY_ADDRESS: "", PROJECTED_ADDRESS: ""}
    made = client.add({**form, "RoleSid": "", "Attributes": ""})
    assert (made["messaging_binding"], made["attributes"]) == (None, "{}")
    assert made["role_sid"] == client.default_role()


# --- Rejections


def refuses(
    client: ConversationClient, form: dict[str, str], code: int, status: int = 400
) -> dict[str, Any]:
    """Check that a create is rejected, and changes neither the list nor the event log."""
    before, events_before = (
        client.api.get(client.path, PageSize=100).body,
        client.events(),
    )
    error: dict[str, Any] = client.api.post(client.path, form).refuses(status, code)
    assert client.api.get(client.path, PageSize=100).body == before
    assert client.events() == events_before
    return error


@pytest.mark.channel("2")
@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, 50204),
        ({"Identity": ""}, 50204),
        ({"Attributes": "{}"}, 50204),
        ({"Identity": "x" * 257}, 50207),
        ({"Identity": "system"}, 50203),
        ({"Identity": "US" + "0" * 32}, 50206),
        ({"Identity": "a", ADDRESS: "+15558675310"}, 50211),
        ({"Identity": "a", ADDRESS: "+15558675310", PROXY_ADDRESS: PROXY}, 50211),
        ({"Identity": "a", PROXY_ADDRESS: PROXY}, 50211),
        ({PROXY_ADDRESS: PROXY}, 50411),
        ({ADDRESS: "whatsapp:+15558675310"}, 50412),
        ({ADDRESS: "+15558675310", PROJECTED_ADDRESS: PROXY}, 50407),
        ({ADDRESS: "+15558675310", PROXY_ADDRESS: PROXY, PROJECTED_ADDRESS: PROXY}, 50407),
        ({"Identity": "a", ADDRESS: "+15558675310", PROJECTED_ADDRESS: PROXY}, 50211),
        ({ADDRESS: "5558675310", PROXY_ADDRESS: PROXY}, 50407),
        ({ADDRESS: "+1 555 867 5310", PROXY_ADDRESS: PROXY}, 50407),
        ({ADDRESS: "telegram:+15558675310", PROXY_ADDRESS: PROXY}, 50407),
        ({ADDRESS: "+15558675310", PROXY_ADDRESS: "x"}, 50408),
        ({ADDRESS: "+15558675310", PROXY_ADDRESS: "+15558675310"}, 50409),
        ({ADDRESS: "whatsapp:+15558675310", PROXY_ADDRESS: PROXY}, 50414),
        ({ADDRESS: "+15558675310", PROXY_ADDRESS: f"whatsapp:{PROXY}"}, 50414),
        ({PROJECTED_ADDRESS: "whatsapp:+15558675310"}, 50439),
        ({PROJECTED_ADDRESS: "x"}, 50439),
        ({"Identity": "a", "Attributes": "{"}, 50304),
        ({"Identity": "a", "Attributes": '"' + "x" * 4095 + '"'}, 50303),
        ({"Identity": "a", "RoleSid": "RL1"}, 50109),
        ({"Identity": "a", "RoleSid": "RL" + "0" * 32}, 50109),
        ({"Identity": "a", "DateCreated": "now"}, 50308),
        ({"Identity": "a", "DateUpdated": "now"}, 50309),
    ],
)
def test_a_bad_participant_is_refused(
    client: ConversationClient, form: dict[str, str], code: int
) -> None:
    refuses(client, form, code)


def test_a_role_of_the_service_or_of_elsewhere_is_refused(client: ConversationClient) -> None:
    elsewhere = client.api.under("/v1").post("/Services", FriendlyName="x").expect(201)["sid"]
    for role_sid in (
        make_role(client.api, "service"),
        make_role(client.api.service(elsewhere)),
    ):
        refuses(client, {"Identity": unique("a"), "RoleSid": role_sid}, 50109)


def test_an_identity_is_in_a_conversation_once(client: ConversationClient) -> None:
    client.chat("alice")
    error = refuses(client, {"Identity": "alice"}, 50433, 409)
    assert error["message"] == "Participant already exists"
    client.chat("Alice")


@pytest.mark.channel("1", "C8")
def test_a_pair_is_bound_once_in_the_account(
    server: Server, api: Api, service_api: Api, foreign_api: Api
) -> None:
    first, second = (
        ConversationClient.make(server, api),
        ConversationClient.make(server, service_api),
    )
    pair = {ADDRESS: phone_number(), PROXY_ADDRESS: PROXY}
    first.add(pair)
    for client in (first, second):
        error = refuses(client, pair, 50416, 409)
        assert error["message"] == (
            "A binding for this participant and proxy address already exists in Conversation "
            + first.sid
        )
    ConversationClient.make(server, foreign_api).add(pair)
    second.add({**pair, PROXY_ADDRESS: phone_number()})
    second.add({**pair, ADDRESS: phone_number()})
    api.post(f"/Conversations/{first.sid}", State="inactive").expect(200)
    refuses(second, pair, 50416, 409)
    api.post(f"/Conversations/{first.sid}", State="closed").expect(200)
    second.add(pair)


@pytest.mark.channel("C7")
def test_a_number_of_the_account_is_no_address(server: Server, client: ConversationClient) -> None:
    proxy, projected = phone_number(), phone_number()
    client.add({ADDRESS: phone_number(), PROXY_ADDRESS: proxy})
    ConversationClient.make(server, client.api).add({PROJECTED_ADDRESS: projected})
    for ours in (proxy, projected):
        refuses(client, {ADDRESS: ours, PROXY_ADDRESS: PROXY}, 50407)


def test_an_account_with_a_list_of_numbers_sends_only_from_these(server: Server) -> None:
    sid, token = server.make_account()
    ours = phone_number()
    server.set_numbers(sid, ours, f"whatsapp:{ours}")
    api = Api(server.base_url, sid, token)
    client = ConversationClient.make(server, api)
    client.add({ADDRESS: phone_number(), PROXY_ADDRESS: ours})
    refuses(client, {ADDRESS: phone_number(), PROXY_ADDRESS: PROXY}, 50413)
    form = {ADDRESS: f"whatsapp:{phone_number()}", PROXY_ADDRESS: f"whatsapp:{PROXY}"}
    refuses(client, form, 50415)
    refuses(client, {PROJECTED_ADDRESS: PROXY}, 50439)
    refuses(client, {ADDRESS: ours, PROXY_ADDRESS: ours}, 50409)
    api.close()


# --- Groups


def test_joining_a_group_requires_an_address(client: ConversationClient) -> None:
    client.bare()
    refuses(client, {"Identity": unique("plain")}, 50434)


def test_members_of_a_group_have_long_codes_of_north_america(
    client: ConversationClient,
) -> None:
    client.bare()
    for address in ("+4915112345678", "+18005550100", "+12425550100"):
        refuses(client, {ADDRESS: address}, 50407)


@pytest.mark.channel("C8")
def test_the_same_member_is_in_a_group_once(client: ConversationClient) -> None:
    client.bare()
    native, pair = phone_number(), {ADDRESS: phone_number(), PROXY_ADDRESS: PROXY}
    client.add({ADDRESS: native})
    refuses(client, {ADDRESS: native}, 50437, 409)
    client.add(pair)
    refuses(client, pair, 50437, 409)


@pytest.mark.channel("11.4")
def test_a_group_has_ten_members(client: ConversationClient) -> None:
    client.bare()
    for _ in range(9):
        client.add({ADDRESS: phone_number()})
    refuses(client, {ADDRESS: phone_number()}, 50436)


@pytest.mark.channel("11.6")
def test_a_list_of_numbers_has_one_open_group(server: Server, client: ConversationClient) -> None:
    ours, theirs = phone_number(), phone_number()
    other = ConversationClient.make(server, client.api)
    for each in (client, other):
        each.add({PROJECTED_ADDRESS: ours})
    client.add({ADDRESS: theirs})
    error = refuses(other, {ADDRESS: theirs}, 50438, 409)
    assert error["message"].endswith(f"already exists as Conversation {client.sid}")
    client.api.post(f"/Conversations/{client.sid}", State="closed").expect(200)
    other.add({ADDRESS: theirs})


# --- Found, listed, removed


@pytest.mark.parametrize("identity", ["user@example.com", "a b", "Zoë/ü", "x+y", "%41", "MB12"])
def test_a_participant_is_found_by_sid_and_by_identity(
    client: ConversationClient, identity: str
) -> None:
    made = client.chat(identity)
    encoded = f"{client.path}/{quote(identity, safe='')}"
    assert client.api.get(encoded).expect(200) == made
    if not set(identity) & set("%/"):
        assert client.api.get(f"{client.path}/{identity}").expect(200) == made
    assert client.api.get(f"{client.path}/MB{made['sid'][2:].upper()}").expect(200) == made


@pytest.mark.promise("50432", 20404)
def test_a_participant_of_elsewhere_looks_like_a_missing_one(
    server: Server, client: ConversationClient, foreign_api: Api
) -> None:
    member, elsewhere = client.chat(), ConversationClient.make(server, client.api)
    for path in (
        f"{elsewhere.path}/{member['sid']}",
        f"{elsewhere.path}/alice",
        f"{client.path}/MB{'0' * 32}",
        f"{client.path}/bob",
    ):
        client.api.get(path).refuses(404, 20404)
        client.api.delete(path).refuses(404, 20404)
    foreign_api.get(f"/Conversations/{client.sid}/Participants/{member['sid']}").refuses(404, 20404)
    foreign_api.post(f"/Conversations/{client.sid}/Participants", Identity="x").refuses(404, 20404)
    client.fetch(member)


def test_participants_are_listed_in_order_of_creation(client: ConversationClient) -> None:
    made = [client.add({"Identity": name, "DateCreated": "2020-01-01"}) for name in "edcba"]
    path: str | None = f"{client.path}?PageSize=2"
    found = []
    while path is not None:
        page = client.api.get(path).expect(200)
        assert page["meta"]["key"] == "participants"
        found += page["participants"]
        path = page["meta"]["next_page_url"]
    assert found == made
    back = client.api.get(page["meta"]["previous_page_url"]).expect(200)
    assert back["participants"] == made[2:4]
    assert client.api.get(client.path, PageSize=1000).json["meta"]["page_size"] == 100


def test_a_removed_participant_is_deleted_and_its_messages_stay(
    client: ConversationClient,
) -> None:
    member = client.chat("alice")
    messages = f"/Conversations/{client.sid}/Messages"
    message = client.api.post(messages, Author="alice", Body="x").expect(201)
    assert message["participant_sid"] == member["sid"]
    client.update(member, {"LastReadMessageIndex": "0"}).expect(200)
    answer = client.api.delete(f"{client.path}/alice")
    assert (answer.status, answer.body) == (204, b"")
    client.api.delete(f"{client.path}/{member['sid']}").refuses(404, 20404)
    assert client.api.get(f"{messages}/{message['sid']}").expect(200) == message
    client.api.get("/Users/alice").expect(200)
    again = client.chat("alice")
    assert again["sid"] != member["sid"]
    assert again["last_read_message_index"] is None


def test_participants_of_a_closed_conversation_stay(client: ConversationClient) -> None:
    member = client.chat()
    client.api.post(f"/Conversations/{client.sid}", State="closed").expect(200)
    refuses(client, {"Identity": "bob"}, 50377)
    client.api.delete(f"{client.path}/{member['sid']}").refuses(400, 50377)
    client.api.post(client.path, Attributes="{").refuses(400, 50304)
    client.fetch(member)


@pytest.mark.parametrize(("header", "fires"), [("True", True), ("no", False)])
def test_webhooks_are_called_only_with_the_header(
    client: ConversationClient, header: str, fires: bool
) -> None:
    headers = {"X-Twilio-Webhook-Enabled": header}
    made = client.api.post(client.path, Identity="told", headers=headers).expect(201)
    client.api.post(f"{client.path}/told", Attributes="[]", headers=headers).expect(200)
    client.api.delete(f"{client.path}/{made['sid']}", headers=headers).expect(204)
    names = ["onParticipantAdded", "onParticipantUpdated", "onParticipantRemoved"]
    assert client.events()[1:] == [(name, fires) for name in names]
