"""Paths that take a sid or a name: the sid has precedence, then any form of name."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests.realtime.sample_conversation import connected
from tests.resources.participant_setup import PROJECTED_ADDRESS, ConversationClient
from tests.resources.unique_names import at_once, unique
from tests.support.phone_numbers import phone_number

if TYPE_CHECKING:
    from tests.support.client import Api, ApiResponse
    from tests.support.server import Server


def like_sid(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


@pytest.fixture
def conversation(server: Server, form_api: Api) -> ConversationClient:
    return ConversationClient.make(server, form_api)


@pytest.mark.parametrize("upper", [False, True])
def test_a_participant_is_reached_by_an_identity_like_a_sid(
    conversation: ConversationClient, upper: bool
) -> None:
    identity = like_sid("MB")
    identity = "MB" + identity[2:].upper() if upper else identity
    made = conversation.chat(identity)
    path = f"{conversation.path}/{identity}"
    assert conversation.api.get(path).expect(200) == made
    changed = conversation.api.post(path, Attributes='{"a":1}').expect(200)
    assert (changed["sid"], changed["attributes"]) == (made["sid"], '{"a":1}')
    assert conversation.api.get(f"/Users/{identity}").expect(200)["identity"] == identity
    own = f"/Users/{identity}/Conversations/{conversation.sid}"
    muted = conversation.api.post(own, NotificationLevel="muted").expect(200)
    assert (muted["participant_sid"], muted["notification_level"]) == (made["sid"], "muted")
    found = conversation.api.get("/ParticipantConversations", Identity=identity).expect(200)
    assert [each["participant_sid"] for each in found["conversations"]] == [made["sid"]]
    if not upper:  # The digits of a sid are case-insensitive, identities are not.
        conversation.api.get(f"{conversation.path}/MB{identity[2:].upper()}").refuses(404, 20404)
    conversation.api.delete(path).expect(204)
    conversation.api.get(path).refuses(404, 20404)


def test_a_sid_precedes_an_identity_of_its_form(conversation: ConversationClient) -> None:
    first = conversation.chat()
    second = conversation.chat(first["sid"])
    path = f"{conversation.path}/{first['sid']}"
    assert conversation.api.get(path).expect(200)["identity"] == "alice"
    assert conversation.api.post(path, Attributes="[1]").expect(200)["sid"] == first["sid"]
    conversation.api.delete(path).expect(204)
    assert conversation.api.get(path).expect(200)["sid"] == second["sid"]


def test_an_identity_like_a_sid_is_attached_and_added_with_others(
    conversation: ConversationClient,
) -> None:
    bare, identity, other = conversation.bare(), like_sid("MB"), like_sid("MB")
    conversation.update(bare, {"Identity": identity}).expect(200)
    assert conversation.api.get(f"{conversation.path}/{identity}").expect(200)["sid"] == bare["sid"]
    added = conversation.add({"Identity": other, PROJECTED_ADDRESS: phone_number()})
    assert conversation.api.get(f"{conversation.path}/{other}").expect(200)["sid"] == added["sid"]


def test_updates_by_sid_and_by_such_an_identity_lose_nothing(
    conversation: ConversationClient,
) -> None:
    """Updates of one participant under two names never share a transaction as if of two."""
    identity = like_sid("MB")
    made = conversation.chat(identity)
    conversation.send_messages(1)

    def change(number: int) -> ApiResponse:
        name = made["sid"] if number % 2 else identity
        form = {"Attributes": f"[{number}]"} if number % 2 else {"LastReadMessageIndex": "0"}
        return conversation.api.post(f"{conversation.path}/{name}", form)

    for _ in range(5):
        conversation.api.post(
            f"{conversation.path}/{made['sid']}", Attributes="{}", LastReadMessageIndex="null"
        )
        answers = at_once(8, change)
        shown = conversation.api.get(f"{conversation.path}/{made['sid']}").expect(200)
        for answer in answers:
            answer.expect(200)
        assert shown["last_read_message_index"] == 0
        assert shown["attributes"] in {"[1]", "[3]", "[5]", "[7]"}


def test_a_user_whose_token_names_an_identity_like_a_sid_is_reached(
    server: Server, api: Api
) -> None:
    identity = like_sid("US")
    api.post("/Users", Identity=identity).refuses(400, 50206)
    connected(server, identity).connection.close()
    user = api.get(f"/Users/{identity}").expect(200)
    assert (user["identity"], user["sid"] != identity) == (identity, True)
    assert api.get(f"/Users/{user['sid']}").expect(200) == user
    assert api.get(f"/Users/{identity}/Conversations").expect(200)["conversations"] == []
    changed = api.post(f"/Users/{identity}", FriendlyName="odd").expect(200)
    assert (changed["sid"], changed["friendly_name"]) == (user["sid"], "odd")
    api.delete(f"/Users/{identity}").expect(204)
    api.get(f"/Users/{identity}").refuses(404, 20404)


def test_a_configuration_is_reached_by_an_address_like_a_sid(api: Api) -> None:
    address = like_sid("IG")
    made = api.post("/Configuration/Addresses", Type="chat", Address=address).expect(201)
    path = f"/Configuration/Addresses/{address}"
    assert api.get(path).expect(200) == made
    assert api.post(path, FriendlyName="desk").expect(200)["sid"] == made["sid"]
    api.delete(path).expect(204)
    api.get(path).refuses(404, 20404)


@pytest.mark.promise("reference/quirks.md", "unique name of that form is refused with 50390")
def test_a_unique_name_like_a_sid_is_refused_wherever_it_is_given(form_api: Api) -> None:
    name = like_sid("CH")
    made = form_api.post("/Conversations").expect(201)
    one, bulk = f"/Conversations/{made['sid']}", "/ConversationWithParticipants"
    for path in ("/Conversations", one, bulk):
        for text in (name, "CH" + name[2:].upper()):
            form_api.post(path, UniqueName=text).refuses(400, 50390)
    form_api.post("/Conversations", UniqueName=unique("CH")).expect(201)
