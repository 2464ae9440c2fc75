"""Delivery receipts: their recipients, their responses, and the status of a message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.checkers.atomicity_checker import violations
from tests.resources.message_setup import MessageClient, execute, rows, seed_media
from tests.resources.participant_setup import ADDRESS, DATE
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server

KEYS = [
    "sid",
    "account_sid",
    "conversation_sid",
    "message_sid",
    "channel_message_sid",
    "status",
    "error_code",
    "participant_sid",
    "date_created",
    "date_updated",
    "url",
]
DELIVERED = {
    "sent": "all",
    "delivered": "all",
    "read": "none",
    "failed": "none",
    "undelivered": "none",
}


@pytest.fixture
def conversation(server: Server, form_api: Api) -> MessageClient:
    made = MessageClient.make(server, form_api)
    assert isinstance(made, MessageClient)
    return made


@pytest.mark.channel("C32")
def test_a_receipt_is_shown_as_documented(conversation: MessageClient) -> None:
    phone = conversation.phone()
    message = conversation.post(Body="Hello")
    conversation.settle()
    (receipt,) = conversation.receipts(message)
    keys = [*KEYS]
    if conversation.api.prefix != "/v1":
        keys.insert(2, "chat_service_sid")
        assert receipt["chat_service_sid"] == conversation.service_sid
    assert list(receipt) == keys
    assert receipt["sid"].startswith("DY")
    assert receipt["message_sid"] == message["sid"]
    assert receipt["conversation_sid"] == conversation.sid
    assert receipt["participant_sid"] == phone["sid"]
    assert receipt["channel_message_sid"].startswith("SM")
    assert (receipt["status"], receipt["error_code"]) == ("delivered", 0)
    assert DATE.fullmatch(receipt["date_created"])
    assert DATE.fullmatch(receipt["date_updated"])
    path = f"{conversation.messages}/{message['sid']}/Receipts/{receipt['sid']}"
    assert receipt["url"] == f"{conversation.api.base_url}{conversation.api.prefix}{path}"
    assert conversation.api.get(path).expect(200) == receipt
    assert conversation.read(message)["delivery"] == {"total": 1, **DELIVERED}


def test_the_response_precedes_any_submission(conversation: MessageClient) -> None:
    conversation.phone()
    none = dict.fromkeys(("sent", "delivered", "read", "failed", "undelivered"), "none")
    assert conversation.post(Body="Hello")["delivery"] == {"total": 1, **none}


def test_every_recipient_outside_the_chat_but_the_author_gets_a_receipt(
    conversation: MessageClient,
) -> None:
    conversation.chat("alice")
    phone, whatsapp, other = conversation.phone(), conversation.whatsapp(), conversation.phone()
    author = other["messaging_binding"]["address"]
    message = conversation.post(Body="Hello", Author=author)
    conversation.settle()
    assert [each["participant_sid"] for each in conversation.receipts(message)] == [
        phone["sid"],
        whatsapp["sid"],
    ]
    assert conversation.read(message)["delivery"] == {"total": 2, **DELIVERED}
    assert conversation.post(Author="alice")["delivery"]["total"] == 3


def test_a_message_to_the_chat_alone_has_no_receipt(conversation: MessageClient) -> None:
    conversation.chat("alice")
    message = conversation.post(Body="Hello", Author="alice")
    assert message["delivery"] is None
    assert conversation.receipts(message) == []
    conversation.phone()
    assert conversation.read(message)["delivery"] is None


def test_the_channel_names_its_message(conversation: MessageClient) -> None:
    phone, whatsapp = conversation.phone(), conversation.whatsapp()
    mail = conversation.add({ADDRESS: "bob@example.com"})
    media_sid = seed_media(conversation.server, conversation.account_sid, conversation.service_sid)
    for form, letters in (
        ({"Body": "x"}, {"phone": "SM", "whatsapp": "WA", "mail": "SM"}),
        ({"MediaSid": media_sid}, {"phone": "MM", "whatsapp": "WA", "mail": "SM"}),
    ):
        message = conversation.post(form)
        conversation.settle()
        named = {each["participant_sid"]: each for each in conversation.receipts(message)}
        for name, member in (("phone", phone), ("whatsapp", whatsapp), ("mail", mail)):
            sid = named[member["sid"]]["channel_message_sid"]
            assert sid.startswith(letters[name])
            assert len(sid) == 34


def test_a_member_of_a_group_gets_a_plain_sid_for_media_too(conversation: MessageClient) -> None:
    conversation.in_group()
    media_sid = seed_media(conversation.server, conversation.account_sid, conversation.service_sid)
    message = conversation.post(MediaSid=media_sid, Author="alice")
    conversation.settle()
    assert {each["channel_message_sid"][:2] for each in conversation.receipts(message)} == {"SM"}


def test_each_receipt_status_is_published_exactly_once(conversation: MessageClient) -> None:
    conversation.phone()
    message = conversation.post(Body="Hello")
    conversation.settle()
    published = _published_receipts(conversation.server, message["sid"])
    assert [(each["receipt"]["status"], fires) for each, fires in published] == [
        ("sent", 1),
        ("delivered", 1),
    ]
    assert [each["message"]["receipts_delivered"] for each, _ in published] == [0, 1]
    assert {each["receipt"]["channel_message_sid"] for each, _ in published} == {
        conversation.receipts(message)[0]["channel_message_sid"]
    }


def _published_receipts(server: Server, message_sid: str) -> list[tuple[dict[str, Any], int]]:
    sql = (
        "SELECT payload, fires FROM event WHERE subject_sid = ? AND name = 'onDeliveryUpdated'"
        " ORDER BY sequence"
    )
    return [(json.loads(payload), fires) for payload, fires in rows(server, sql, message_sid)]


def test_an_update_of_a_message_sends_nothing_again(conversation: MessageClient) -> None:
    conversation.phone()
    message = conversation.post(Body="Hello")
    conversation.settle()
    before = conversation.receipts(message)
    after = conversation.edit(message, Body="Bye").expect(200)
    assert after["delivery"] == {"total": 1, **DELIVERED}
    conversation.post(Body="later")
    conversation.settle()
    assert conversation.receipts(message) == before
    assert len(_published_receipts(conversation.server, message["sid"])) == 2


def test_receipts_are_found_below_their_own_message_only(
    conversation: MessageClient, foreign_api: Api
) -> None:
    conversation.phone()
    message, other = conversation.post(Body="1"), conversation.post(Body="2")
    conversation.settle()
    (receipt,) = conversation.receipts(message)
    for path in (
        f"{conversation.messages}/{message['sid']}/Receipts/DY{'0' * 32}",
        f"{conversation.messages}/{message['sid']}/Receipts/x",
        f"{conversation.messages}/{other['sid']}/Receipts/{receipt['sid']}",
        f"{conversation.messages}/IM{'0' * 32}/Receipts/{receipt['sid']}",
        f"{conversation.messages}/0/Receipts",
        f"/Conversations/nope/Messages/{message['sid']}/Receipts",
    ):
        conversation.api.get(path).refuses(404, 20404)
    path = f"{conversation.messages}/{message['sid']}/Receipts"
    foreign_api.get(path).refuses(404, 20404)
    foreign_api.get(f"{path}/{receipt['sid']}").refuses(404, 20404)


def test_receipts_come_in_pages_of_at_most_fifty(conversation: MessageClient) -> None:
    phones = [conversation.phone()["sid"] for _ in range(3)]
    message = conversation.post(Body="x")
    conversation.settle()
    path = f"{conversation.messages}/{message['sid']}/Receipts"
    meta = conversation.api.get(path, PageSize=1000).expect(200)["meta"]
    assert (meta["page_size"], meta["key"]) == (50, "delivery_receipts")
    page = conversation.api.get(path, PageSize=2).expect(200)
    rest = conversation.api.get(page["meta"]["next_page_url"]).expect(200)
    seen = page["delivery_receipts"] + rest["delivery_receipts"]
    assert [each["participant_sid"] for each in seen] == phones
    assert rest["meta"]["next_page_url"] is None


def test_a_participant_that_leaves_keeps_its_receipt(conversation: MessageClient) -> None:
    phone = conversation.phone()
    message = conversation.post(Body="x")
    conversation.api.delete(f"{conversation.path}/{phone['sid']}").expect(204)
    conversation.settle()
    (receipt,) = conversation.receipts(message)
    assert (receipt["participant_sid"], receipt["status"]) == (phone["sid"], "delivered")
    assert conversation.post(Body="y")["delivery"] is None


@pytest.mark.channel("C31")
@pytest.mark.promise("reference/quirks.md", "for REST and client SDKs alike, and answers 404")
def test_a_receipt_without_a_status_is_not_found(conversation: MessageClient) -> None:
    phones = [conversation.phone() for _ in range(3)]
    message = conversation.post(Body="x")
    conversation.settle()
    first, second, third = conversation.receipts(message)
    assert [each["participant_sid"] for each in (first, second, third)] == [
        each["sid"] for each in phones
    ]
    # As the message's own transaction leaves it, before it is submitted to the carrier.
    execute(conversation.server, "UPDATE receipt SET status = NULL WHERE sid = ?", second["sid"])
    assert conversation.receipts(message) == [first, third]
    path = f"{conversation.messages}/{message['sid']}/Receipts"
    pages = conversation.api.get(path, PageSize=1).expect(200)
    rest = conversation.api.get(pages["meta"]["next_page_url"]).expect(200)
    assert (rest["delivery_receipts"], rest["meta"]["next_page_url"]) == ([third], None)
    conversation.api.get(f"{path}/{second['sid']}").refuses(404, 20404)
    assert conversation.read(message)["delivery"] == {"total": 3, **DELIVERED}


@pytest.mark.channel("C31")
def test_no_quick_read_sees_a_receipt_before_its_first_status(conversation: MessageClient) -> None:
    for _ in range(2):
        conversation.phone()
    seen = set()
    for number in range(40):
        message = conversation.post(Body=str(number))
        for _ in range(3):
            found = conversation.receipts(message)
            seen |= {each["status"] for each in found}
            for each in found:
                one = f"{conversation.messages}/{message['sid']}/Receipts/{each['sid']}"
                seen.add(conversation.api.get(one).expect(200)["status"])
    conversation.settle()
    assert seen <= {"sent", "delivered"}


@pytest.mark.parametrize("status", [None, "sent"])
@pytest.mark.slow
def test_a_hand_over_that_a_crash_cut_off_is_made_up_for(status: str | None) -> None:
    """A receipt without a status is due; a submitted one is the carrier's responsibility."""
    with Server() as own:
        conversation = _continue_conversation(own)
        conversation.phone()
        message = conversation.post(Body="x")
        conversation.settle()
        own.kill()
        execute(
            own,
            "UPDATE receipt SET status = ?, channel_message_sid = NULL, date_updated = 0",
            status,
        )
        execute(own, "DELETE FROM sink_position")
        execute(
            own,
            "UPDATE message SET receipts_sent = ?, receipts_delivered = 0",
            int(status is not None),
        )
        own.start()
        if status is None:
            conversation.settle()
            assert conversation.read(message)["delivery"] == {"total": 1, **DELIVERED}
        else:
            later = conversation.post(Body="y")
            eventually(lambda: conversation.receipts(later), bool, seconds=15)
            assert conversation.receipts(message)[0]["status"] == "sent"


def _continue_conversation(server: Server) -> MessageClient:
    made = MessageClient.make(server, Api(server.base_url, server.account_sid, server.auth_token))
    assert isinstance(made, MessageClient)
    return made


@pytest.mark.embedded
@pytest.mark.slow
def test_kills_lose_no_hand_over_and_repeat_none_that_is_recorded() -> None:
    with Server() as server:
        conversation = _continue_conversation(server)
        for _ in range(5):
            conversation.phone()
        made = []
        for number in range(8):
            made += [conversation.post(Body=f"{number} {each}") for each in range(4)]
            server.kill()
            server.start()
        conversation.settle()
        for message in made:
            assert conversation.read(message)["delivery"] == {"total": 5, **DELIVERED}
            published = [each["receipt"] for each, _ in _published_receipts(server, message["sid"])]
            steps = sorted((each["sid"], each["status"]) for each in published)
            receipts = [each["sid"] for each in conversation.receipts(message)]
            assert steps == sorted(
                (sid, status) for sid in receipts for status in ("sent", "delivered")
            )
        server.stop()
        assert violations(server.data_dir) == []
