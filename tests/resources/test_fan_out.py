"""The fan-out of a message to submissions: who gets it, from which sender, and in which of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.message_setup import MessageClient, rows
from tests.resources.participant_setup import ADDRESS, PROXY_ADDRESS
from tests.support.phone_numbers import PROXY, phone_number

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server

SUBMISSIONS = """
SELECT sid, channel, sender, is_group, recipients, lane FROM submission
 WHERE message_sid = ? ORDER BY lane
"""


@pytest.fixture
def conversation(server: Server, form_api: Api) -> MessageClient:
    made = MessageClient.make(server, form_api)
    assert isinstance(made, MessageClient)
    return made


def submissions(
    conversation: MessageClient, message: dict[str, Any]
) -> list[tuple[str, str | None, bool, list[str]]]:
    """Return channel, sender, whether it is a group, and the addresses of each submission."""
    return sorted(
        (channel, sender, bool(is_group), [each["address"] for each in json.loads(recipients)])
        for _, channel, sender, is_group, recipients, _ in rows(
            conversation.server, SUBMISSIONS, message["sid"]
        )
    )


def address_of(participant: dict[str, Any]) -> str:
    return str(participant["messaging_binding"]["address"])


def test_each_recipient_gets_the_message_from_its_own_proxy(conversation: MessageClient) -> None:
    conversation.chat("alice")
    phone, whatsapp = conversation.phone(), conversation.whatsapp()
    other = conversation.add({ADDRESS: phone_number(), PROXY_ADDRESS: "+15017122662"})
    message = conversation.post(Body="x")
    assert message["delivery"]["total"] == 3
    assert submissions(conversation, message) == sorted(
        [
            ("sms", PROXY, False, [address_of(phone)]),
            ("sms", "+15017122662", False, [address_of(other)]),
            ("whatsapp", f"whatsapp:{PROXY}", False, [address_of(whatsapp)]),
        ]
    )
    conversation.settle()
    named = {each["channel_message_sid"] for each in conversation.receipts(message)}
    assert named == {row[0] for row in rows(conversation.server, SUBMISSIONS, message["sid"])}


def test_a_message_of_a_phone_goes_to_the_other_channels_and_not_to_itself(
    conversation: MessageClient,
) -> None:
    phone, whatsapp = conversation.phone(), conversation.whatsapp()
    message = conversation.post(Body="x", Author=address_of(phone))
    assert submissions(conversation, message) == [
        ("whatsapp", f"whatsapp:{PROXY}", False, [address_of(whatsapp)])
    ]


@pytest.mark.channel("11.1")
def test_a_group_gets_one_submission_for_all_members(conversation: MessageClient) -> None:
    own, members = conversation.in_group()
    number = own["messaging_binding"]["projected_address"]
    message = conversation.post(Body="x", Author="alice")
    addresses = [address_of(each) for each in members]
    assert submissions(conversation, message) == [("sms", number, True, addresses)]
    conversation.settle()
    receipts = conversation.receipts(message)
    assert {each["participant_sid"] for each in receipts} == {each["sid"] for each in members}
    assert len({each["channel_message_sid"] for each in receipts}) == len(members)
    (submission,) = rows(conversation.server, SUBMISSIONS, message["sid"])
    assert submission[0] == receipts[0]["channel_message_sid"]


def test_one_member_and_one_own_number_exchange_plain_texts(conversation: MessageClient) -> None:
    own = conversation.projected("alice")
    member = conversation.add({ADDRESS: phone_number()})
    message = conversation.post(Body="x", Author="alice")
    number = own["messaging_binding"]["projected_address"]
    assert submissions(conversation, message) == [("sms", number, False, [address_of(member)])]


@pytest.mark.channel("C12")
def test_a_masked_member_of_a_group_gets_a_text_of_its_own(conversation: MessageClient) -> None:
    own, members = conversation.in_group()
    masked = conversation.add({ADDRESS: phone_number(), PROXY_ADDRESS: PROXY})
    number = own["messaging_binding"]["projected_address"]
    message = conversation.post(Body="x", Author="alice")
    assert submissions(conversation, message) == sorted(
        [
            ("sms", number, True, [address_of(each) for each in members]),
            ("sms", PROXY, False, [address_of(masked)]),
        ]
    )
