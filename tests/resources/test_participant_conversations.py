"""Participant conversations: the conversations of an identity or an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.resources.participant_setup import (
    ADDRESS,
    PROJECTED_ADDRESS,
    PROXY_ADDRESS,
    ConversationClient,
)
from tests.resources.unique_names import unique
from tests.support.phone_numbers import PROXY, phone_number

if TYPE_CHECKING:
    from tests.support.client import Api, Fields
    from tests.support.server import Server

PATH = "/ParticipantConversations"
KEYS = [
    "account_sid", "chat_service_sid", "conversation_sid", "participant_sid",
    "conversation_friendly_name", "conversation_state", "conversation_timers",
    "conversation_attributes", "conversation_date_created", "conversation_date_updated",
    "conversation_created_by", "conversation_unique_name", "participant_user_sid",
    "participant_identity", "participant_messaging_binding", "links",
]  # fmt: skip


def test_an_identity_is_shown_with_its_user_and_without_a_binding(
    server: Server, form_api: Api
) -> None:
    name, identity = unique("visit"), unique("dave@example.com")
    conversation = ConversationClient.make(
        server, form_api, FriendlyName="Visit", UniqueName=name, Attributes="[1]",
        **{"Timers.Inactive": "PT1H"},
    )  # fmt: skip
    member = conversation.chat(identity)
    user = form_api.get(f"/Users/{identity}").expect(200)
    page = form_api.get(PATH, Identity=identity).expect(200)
    assert page["meta"]["key"] == "conversations"
    assert list(page["conversations"][0]) == KEYS
    assert page["conversations"] == [
        {
            "account_sid": form_api.sid,
            "chat_service_sid": conversation.resource["chat_service_sid"],
            "conversation_sid": conversation.sid,
            "participant_sid": member["sid"],
            "conversation_friendly_name": "Visit",
            "conversation_state": "active",
            "conversation_timers": conversation.resource["timers"],
            "conversation_attributes": "[1]",
            "conversation_date_created": conversation.resource["date_created"],
            "conversation_date_updated": conversation.resource["date_updated"],
            "conversation_created_by": "system",
            "conversation_unique_name": name,
            "participant_user_sid": user["sid"],
            "participant_identity": identity,
            "participant_messaging_binding": None,
            "links": {"participant": member["url"], "conversation": conversation.resource["url"]},
        }
    ]


@pytest.mark.channel("C1")
def test_an_address_is_shown_with_all_six_members_of_its_binding(
    server: Server, form_api: Api
) -> None:
    conversation = ConversationClient.make(server, form_api)
    sms, whatsapp = phone_number(), f"whatsapp:{phone_number()}"
    mail = f"{unique('erin')}@example.com"
    conversation.add({ADDRESS: sms, PROXY_ADDRESS: PROXY})
    conversation.add({ADDRESS: whatsapp, PROXY_ADDRESS: f"whatsapp:{PROXY}"})
    conversation.add({ADDRESS: mail})
    for address, kind, proxy, level in (
        (sms, "sms", PROXY, None),
        (whatsapp, "whatsapp", f"whatsapp:{PROXY}", None),
        (mail, "email", None, "to"),
    ):
        (found,) = form_api.get(PATH, Address=address).expect(200)["conversations"]
        assert list(found) == KEYS
        assert (found["participant_user_sid"], found["participant_identity"]) == (None, None)
        assert found["participant_messaging_binding"] == {
            "address": address,
            "proxy_address": proxy,
            "type": kind,
            "level": level,
            "name": None,
            "projected_address": None,
        }


def test_proxy_and_projected_addresses_are_not_looked_for(server: Server, form_api: Api) -> None:
    conversation, projected, identity = (
        ConversationClient.make(server, form_api),
        phone_number(),
        unique("ann"),
    )
    conversation.add({"Identity": identity, PROJECTED_ADDRESS: projected})
    assert form_api.get(PATH, Address=projected).expect(200)["conversations"] == []
    assert form_api.get(PATH, Address=PROXY).expect(200)["conversations"] == []
    (found,) = form_api.get(PATH, Identity=identity).expect(200)["conversations"]
    assert found["participant_messaging_binding"] == {
        "address": None,
        "proxy_address": None,
        "type": "sms",
        "level": None,
        "name": None,
        "projected_address": projected,
    }


def test_conversations_in_every_state_are_found_by_sid_page_by_page(
    server: Server, form_api: Api
) -> None:
    identity = unique("finder")
    conversations = [ConversationClient.make(server, form_api) for _ in range(5)]
    for conversation in conversations:
        conversation.chat(identity)
        conversation.chat("somebody else")
    for conversation, state in zip(conversations, ("inactive", "closed"), strict=False):
        form_api.post(f"/Conversations/{conversation.sid}", State=state).expect(200)
    path: str | None = f"{PATH}?Identity={identity}&PageSize=2"
    found = []
    while path is not None:
        page = form_api.get(path).expect(200)
        assert f"Identity={identity}&PageSize=2" in page["meta"]["url"]
        found += page["conversations"]
        path = page["meta"]["next_page_url"]
    assert [each["conversation_sid"] for each in found] == sorted(
        conversation.sid for conversation in conversations
    )
    states = {each["conversation_sid"]: each["conversation_state"] for each in found}
    assert [states[conversation.sid] for conversation in conversations[:3]] == [
        "inactive",
        "closed",
        "active",
    ]
    back = form_api.get(page["meta"]["previous_page_url"]).expect(200)
    assert back["conversations"] == found[2:4]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, 20001),
        ({"Identity": ""}, 20001),
        ({"PageSize": "5"}, 20001),
        ({"Identity": "a", "Address": "+15558675310"}, 50451),
        ({"Identity": "x" * 257}, 20001),
        ({"Identity": "a", "PageSize": "0"}, 20001),
    ],
)
def test_exactly_one_of_the_two_is_required(form_api: Api, query: Fields, code: int) -> None:
    form_api.get(PATH, query).refuses(400, code)


def test_an_empty_one_counts_as_absent(server: Server, form_api: Api) -> None:
    identity = unique("one")
    ConversationClient.make(server, form_api).chat(identity)
    page = form_api.get(PATH, Identity=identity, Address="").expect(200)
    assert len(page["conversations"]) == 1


def test_nothing_found_is_an_empty_page(form_api: Api, foreign_api: Api, server: Server) -> None:
    identity = unique("hidden")
    ConversationClient.make(server, form_api).chat(identity)
    for page in (
        form_api.get(PATH, Identity=unique("nobody")).expect(200),
        form_api.get(PATH, Identity=identity.upper()).expect(200),
        form_api.get(PATH, Address="not an address").expect(200),
        foreign_api.get(PATH, Identity=identity).expect(200),
    ):
        assert page["conversations"] == []
        assert page["meta"]["next_page_url"] is None


def test_services_are_matched_separately(server: Server, api: Api, service_api: Api) -> None:
    identity = unique("both")
    first, second = (
        ConversationClient.make(server, api),
        ConversationClient.make(server, service_api),
    )
    first.chat(identity)
    second.chat(identity)
    for client, conversation in ((api, first), (service_api, second)):
        found = client.get(PATH, Identity=identity).expect(200)["conversations"]
        assert [each["conversation_sid"] for each in found] == [conversation.sid]


def test_only_listing_is_supported(form_api: Api) -> None:
    form_api.post(PATH, Identity="a").refuses(405, 20004)
    form_api.delete(PATH).refuses(405, 20004)
