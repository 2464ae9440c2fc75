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
def talk(server: Server, form_api: Api) -> MessageClient:
    made = MessageClient.make(server, form_api)
    assert isinstance(made, MessageClient)
    return made


def test_a_receipt_is_shown_as_documented(talk: MessageClient) -> None:
    phone = talk.phone()
    message = talk.post(Body="Hello")
    talk.settle()
    (receipt,) = talk.receipts(message)
    keys = [*KEYS]
    if talk.api.prefix != "/v1":
        keys.insert(2, "chat_service_sid")
        assert receipt["chat_service_sid"] == talk.service_sid
    assert list(receipt) == keys
    assert receipt["sid"].startswith("DY")
    assert receipt["message_sid"] == message["sid"]
    assert receipt["conversation_sid"] == talk.sid
    assert receipt["participant_sid"] == phone["sid"]
    assert receipt["channel_message_sid"].startswith("SM")
    assert (receipt["status"], receipt["error_code"]) == ("delivered", 0)
    assert DATE.fullmatch(receipt["date_created"])
    assert DATE.fullmatch(receipt["date_updated"])
    path = f"{talk.messages}/{message['sid']}/Receipts/{receipt['sid']}"
    assert receipt["url"] == f"{talk.api.base_url}{talk.api.prefix}{path}"
    assert talk.api.get(path).expect(200) == receipt
    assert talk.read(message)["delivery"] == {"total": 1, **DELIVERED}


def test_the_response_precedes_any_submission(talk: MessageClient) -> None:
    talk.phone()
    none = dict.fromkeys(("sent", "delivered", "read", "failed", "undelivered"), "none")
    assert talk.post(Body="Hello")["delivery"] == {"total": 1, **none}


def test_every_recipient_outside_the_chat_but_the_author_gets_a_receipt(
    talk: MessageClient,
) -> None:
    talk.chat("alice")
    phone, whatsapp, other = talk.phone(), talk.whatsapp(), talk.phone()
    author = other["messaging_binding"]["address"]
    message = talk.post(Body="Hello", Author=author)
    talk.settle()
    assert [each["participant_sid"] for each in talk.receipts(message)] == [
        phone["sid"],
        whatsapp["sid"],
    ]
    assert talk.read(message)["delivery"] == {"total": 2, **DELIVERED}
    assert talk.post(Author="alice")["delivery"]["total"] == 3


def test_a_message_to_the_chat_alone_has_no_receipt(talk: MessageClient) -> None:
    talk.chat("alice")
    message = talk.post(Body="Hello", Author="alice")
    assert message["delivery"] is None
    assert talk.receipts(message) == []
    talk.phone()
    assert talk.read(message)["delivery"] is None


def test_the_channel_names_its_message(talk: MessageClient) -> None:
    phone, whatsapp = talk.phone(), talk.whatsapp()
    mail = talk.add({ADDRESS: "bob@example.com"})
    media_sid = seed_media(talk.server, talk.account_sid, talk.service_sid)
    for form, letters in (
        ({"Body": "x"}, {"phone": "SM", "whatsapp": "WA", "mail": "SM"}),
        ({"MediaSid": media_sid}, {"phone": "MM", "whatsapp": "WA", "mail": "SM"}),
    ):
        message = talk.post(form)
        talk.settle()
        named = {each["participant_sid"]: each for each in talk.receipts(message)}
        for name, member in (("phone", phone), ("whatsapp", whatsapp), ("mail", mail)):
            sid = named[member["sid"]]["channel_message_sid"]
            assert sid.startswith(letters[name])
            assert len(sid) == 34


def test_a_member_of_a_group_gets_a_plain_sid_for_media_too(talk: MessageClient) -> None:
    talk.in_group()
    media_sid = seed_media(talk.server, talk.account_sid, talk.service_sid)
    message = talk.post(MediaSid=media_sid, Author="alice")
    talk.settle()
    assert {each["channel_message_sid"][:2] for each in talk.receipts(message)} == {"SM"}


def test_each_receipt_status_is_published_exactly_once(talk: MessageClient) -> None:
    talk.phone()
    message = talk.post(Body="Hello")
    talk.settle()
    published = _published_receipts(talk.server, message["sid"])
    assert [(each["receipt"]["status"], fires) for each, fires in published] == [
        ("sent", 1),
        ("delivered", 1),
    ]
    assert [each["message"]["receipts_delivered"] for each, _ in published] == [0, 1]
    assert {each["receipt"]["channel_message_sid"] for each, _ in published} == {
        talk.receipts(message)[0]["channel_message_sid"]
    }


def _published_receipts(server: Server, message_sid: str) -> list[tuple[dict[str, Any], int]]:
    sql = (
        "SELECT payload, fires FROM event WHERE subject_sid = ? AND name = 'onDeliveryUpdated'"
        " ORDER BY sequence"
    )
    return [(json.loads(payload), fires) for payload, fires in rows(server, sql, message_sid)]


def test_an_update_of_a_message_sends_nothing_again(talk: MessageClient) -> None:
    talk.phone()
    message = talk.post(Body="Hello")
    talk.settle()
    before = talk.receipts(message)
    after = talk.edit(message, Body="Bye").expect(200)
    assert after["delivery"] == {"total": 1, **DELIVERED}
    talk.post(Body="later")
    talk.settle()
    assert talk.receipts(message) == before
    assert len(_published_receipts(talk.server, message["sid"])) == 2


def test_receipts_are_found_below_their_own_message_only(
    talk: MessageClient, foreign_api: Api
) -> None:
    talk.phone()
    message, other = talk.post(Body="1"), talk.post(Body="2")
    talk.settle()
    (receipt,) = talk.receipts(message)
    for path in (
        f"{talk.messages}/{message['sid']}/Receipts/DY{'0' * 32}",
        f"{talk.messages}/{message['sid']}/Receipts/x",
        f"{talk.messages}/{other['sid']}/Receipts/{receipt['sid']}",
        f"{talk.messages}/IM{'0' * 32}/Receipts/{receipt['sid']}",
        f"{talk.messages}/0/Receipts",
        f"/Conversations/nope/Messages/{message['sid']}/Receipts",
    ):
        talk.api.get(path).refuses(404, 20404)
    path = f"{talk.messages}/{message['sid']}/Receipts"
    foreign_api.get(path).refuses(404, 20404)
    foreign_api.get(f"{path}/{receipt['sid']}").refuses(404, 20404)


def test_receipts_come_in_pages_of_at_most_fifty(talk: MessageClient) -> None:
    phones = [talk.phone()["sid"] for _ in range(3)]
    message = talk.post(Body="x")
    talk.settle()
    path = f"{talk.messages}/{message['sid']}/Receipts"
    meta = talk.api.get(path, PageSize=1000).expect(200)["meta"]
    assert (meta["page_size"], meta["key"]) == (50, "delivery_receipts")
    page = talk.api.get(path, PageSize=2).expect(200)
    rest = talk.api.get(page["meta"]["next_page_url"]).expect(200)
    seen = page["delivery_receipts"] + rest["delivery_receipts"]
    assert [each["participant_sid"] for each in seen] == phones
    assert rest["meta"]["next_page_url"] is None


def test_a_participant_that_leaves_keeps_its_receipt(talk: MessageClient) -> None:
    phone = talk.phone()
    message = talk.post(Body="x")
    talk.api.delete(f"{talk.path}/{phone['sid']}").expect(204)
    talk.settle()
    (receipt,) = talk.receipts(message)
    assert (receipt["participant_sid"], receipt["status"]) == (phone["sid"], "delivered")
    assert talk.post(Body="y")["delivery"] is None


@pytest.mark.promise("reference/quirks.md", "for REST and client SDKs alike, and answers 404")
def test_a_receipt_without_a_status_is_not_found(talk: MessageClient) -> None:
    phones = [talk.phone() for _ in range(3)]
    message = talk.post(Body="x")
    talk.settle()
    first, second, third = talk.receipts(message)
    assert [each["participant_sid"] for each in (first, second, third)] == [
        each["sid"] for each in phones
    ]
    # As the message's own transaction leaves it, before it is submitted to the carrier.
    execute(talk.server, "UPDATE receipt SET status = NULL WHERE sid = ?", second["sid"])
    assert talk.receipts(message) == [first, third]
    path = f"{talk.messages}/{message['sid']}/Receipts"
    pages = talk.api.get(path, PageSize=1).expect(200)
    rest = talk.api.get(pages["meta"]["next_page_url"]).expect(200)
    assert (rest["delivery_receipts"], rest["meta"]["next_page_url"]) == ([third], None)
    talk.api.get(f"{path}/{second['sid']}").refuses(404, 20404)
    assert talk.read(message)["delivery"] == {"total": 3, **DELIVERED}


def test_no_quick_read_sees_a_receipt_before_its_first_status(talk: MessageClient) -> None:
    for _ in range(2):
        talk.phone()
    seen = set()
    for number in range(40):
        message = talk.post(Body=str(number))
        for _ in range(3):
            found = talk.receipts(message)
            seen |= {each["status"] for each in found}
            for each in found:
                one = f"{talk.messages}/{message['sid']}/Receipts/{each['sid']}"
                seen.add(talk.api.get(one).expect(200)["status"])
    talk.settle()
    assert seen <= {"sent", "delivered"}


@pytest.mark.parametrize("status", [None, "sent"])
@pytest.mark.slow
def test_a_hand_over_that_a_crash_cut_off_is_made_up_for(status: str | None) -> None:
    """A receipt without a status is due; a submitted one is the carrier's responsibility."""
    with Server() as own:
        talk = _talk_on(own)
        talk.phone()
        message = talk.post(Body="x")
        talk.settle()
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
            talk.settle()
            assert talk.read(message)["delivery"] == {"total": 1, **DELIVERED}
        else:
            later = talk.post(Body="y")
            eventually(lambda: talk.receipts(later), bool, seconds=15)
            assert talk.receipts(message)[0]["status"] == "sent"


def _talk_on(server: Server) -> MessageClient:
    made = MessageClient.make(server, Api(server.base_url, server.account_sid, server.auth_token))
    assert isinstance(made, MessageClient)
    return made


@pytest.mark.embedded
@pytest.mark.slow
def test_kills_lose_no_hand_over_and_repeat_none_that_is_recorded() -> None:
    with Server() as server:
        talk = _talk_on(server)
        for _ in range(5):
            talk.phone()
        made = []
        for number in range(8):
            made += [talk.post(Body=f"{number} {each}") for each in range(4)]
            server.kill()
            server.start()
        talk.settle()
        for message in made:
            assert talk.read(message)["delivery"] == {"total": 5, **DELIVERED}
            published = [each["receipt"] for each, _ in _published_receipts(server, message["sid"])]
            steps = sorted((each["sid"], each["status"]) for each in published)
            receipts = [each["sid"] for each in talk.receipts(message)]
            assert steps == sorted(
                (sid, status) for sid in receipts for status in ("sent", "delivered")
            )
        server.stop()
        assert violations(server.data_dir) == []
