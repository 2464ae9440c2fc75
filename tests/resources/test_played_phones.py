"""Virtual phones, end to end over REST: fan-out, inbound messages, receipts, retries of reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.settings_setup import new_account_api
from tests.resources.test_virtual_phone_messages import CAT, multipart
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

OWN = "+15005550006"
PHONE = "+15558675310"
WHATSAPP = "whatsapp:+15558675310"
WHATSAPP_OWN = "whatsapp:+15005550006"
MEMBERS = ("+12135550101", "+12135550102")
GROUP_OWN = "+12135550100"
WAIT = {"Wait": 30, "Direction": "received"}


class PlayedConversation:
    """A conversation of one account, and its phones."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.phones = api.under("/parlour/v1")
        self.sid: str = api.post("/Conversations", FriendlyName="Played").expect(201)["sid"]

    def bind(self, address: str, proxy: str) -> str:
        """Add a participant of a channel; return its SID."""
        form = {"MessagingBinding.Address": address, "MessagingBinding.ProxyAddress": proxy}
        return self.add(form)

    def add_group(self) -> list[str]:
        """Add an own number and two members; return the SIDs of the members."""
        self.add({"Identity": "ada", "MessagingBinding.ProjectedAddress": GROUP_OWN})
        return [self.add({"MessagingBinding.Address": each}) for each in MEMBERS]

    def add(self, form: dict[str, str]) -> str:
        """Add a participant; return its SID."""
        made = self.api.post(f"/Conversations/{self.sid}/Participants", form).expect(201)
        sid: str = made["sid"]
        return sid

    def write(self, body: str, author: str = "ada") -> str:
        """Add a message over REST; return its SID."""
        path = f"/Conversations/{self.sid}/Messages"
        made: str = self.api.post(path, Author=author, Body=body).expect(201)["sid"]
        return made

    def messages(self) -> list[dict[str, Any]]:
        """Return the messages of the conversation."""
        found: list[dict[str, Any]] = self.api.get(f"/Conversations/{self.sid}/Messages").expect(
            200
        )["messages"]
        return found

    def receipts(self, message_sid: str) -> list[dict[str, Any]]:
        """Return the receipts of a message."""
        path = f"/Conversations/{self.sid}/Messages/{message_sid}/Receipts"
        found: list[dict[str, Any]] = self.api.get(path).expect(200)["delivery_receipts"]
        return found

    def results(self, message_sid: str) -> list[tuple[str, int]]:
        """Return status and error code of each receipt."""
        return [(each["status"], each["error_code"]) for each in self.receipts(message_sid)]

    def wait_for(self, message_sid: str, *results: tuple[str, int]) -> None:
        """Wait for these results, in any order."""
        wanted = sorted(results)
        eventually(lambda: sorted(self.results(message_sid)), lambda found: found == wanted)

    def received(self, phone: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until a phone has received so many messages, and return them."""
        path = f"/VirtualPhones/{phone}/Messages"
        page = self.phones.get(path, {**WAIT, "MinCount": count}).expect(200)
        assert page["complete"], page
        found: list[dict[str, Any]] = page["messages"]
        return found

    def set(self, phone: str, **form: str) -> None:
        """Create a phone with a behaviour."""
        self.phones.post("/VirtualPhones", Address=phone)
        self.phones.post(f"/VirtualPhones/{phone}", dict(form)).expect(200)


@pytest.fixture
def played(server: Server) -> Iterator[PlayedConversation]:
    """A conversation of a new account."""
    api = new_account_api(server)
    yield PlayedConversation(api)
    api.close()


@pytest.mark.channel("C5")
def test_a_message_reaches_the_phone_under_the_sid_of_its_receipt(
    played: PlayedConversation,
) -> None:
    participant_sid = played.bind(PHONE, OWN)
    message_sid = played.write("Grüße 🙂")
    [message] = played.received(PHONE)
    assert (message["from"], message["to"], message["body"]) == (OWN, [PHONE], "Grüße 🙂")
    assert (message["encoding"], message["segments"]) == ("UCS-2", 1)
    assert (message["conversation_sid"], message["message_sid"]) == (played.sid, message_sid)
    assert message["participant_sid"] == participant_sid
    played.wait_for(message_sid, ("delivered", 0))
    [receipt] = played.receipts(message_sid)
    assert receipt["channel_message_sid"] == message["sid"]
    assert receipt["participant_sid"] == participant_sid


def test_each_recipient_gets_the_message_from_its_own_sender(played: PlayedConversation) -> None:
    played.bind(PHONE, OWN)
    played.bind(WHATSAPP, WHATSAPP_OWN)
    played.phones.post(f"/VirtualPhones/{WHATSAPP}/Messages", To=WHATSAPP_OWN, Body="Hi").expect(
        201
    )
    message_sid = played.write("Hello", author="system")
    assert [each["from"] for each in played.received(WHATSAPP)] == [WHATSAPP_OWN]
    # The other phone also got the text of the WhatsApp participant.
    assert [each["body"] for each in played.received(PHONE, 2)] == ["Hi", "Hello"]
    played.wait_for(message_sid, ("delivered", 0), ("delivered", 0))


def test_a_text_of_one_phone_reaches_the_others_and_not_its_author(
    played: PlayedConversation,
) -> None:
    other = "+15558675311"
    played.bind(PHONE, OWN)
    played.bind(other, OWN)
    sent = played.phones.post(f"/VirtualPhones/{PHONE}/Messages", To=OWN, Body="Hi").expect(201)
    assert sent["outcome"] == "conversation"
    [received] = played.received(other)
    assert (received["body"], received["from"]) == ("Hi", OWN)
    page = played.phones.get(f"/VirtualPhones/{PHONE}/Messages", Direction="received").expect(200)
    assert page["messages"] == []


@pytest.mark.parametrize(
    ("form", "result"),
    [
        ({"Behaviour": "undeliverable"}, ("undelivered", 30005)),
        ({"Behaviour": "undeliverable", "ErrorCode": "30003"}, ("undelivered", 30003)),
        ({"Behaviour": "reject"}, ("failed", 30005)),
        ({"Behaviour": "reject", "ErrorCode": "21614"}, ("failed", 21614)),
        ({"Behaviour": "silent"}, ("sent", 0)),
        ({"Receipts": "duplicate"}, ("delivered", 0)),
        ({"Receipts": "early"}, ("delivered", 0)),
        ({"Receipts": "reversed"}, ("delivered", 0)),
        ({"DelayMs": "300"}, ("delivered", 0)),
    ],
)
def test_the_receipt_follows_the_behaviour_of_the_phone(
    played: PlayedConversation, form: dict[str, str], result: tuple[str, int]
) -> None:
    played.bind(PHONE, OWN)
    played.set(PHONE, **form)
    played.wait_for(played.write("Hello"), result)


def test_a_phone_that_is_off_gets_its_message_once_it_is_on(played: PlayedConversation) -> None:
    participant_sid = played.bind(PHONE, OWN)
    played.set(PHONE, Behaviour="off")
    message_sid = played.write("Hello")
    played.wait_for(message_sid, ("sent", 0))
    played.set(PHONE, Behaviour="deliver")
    played.wait_for(message_sid, ("delivered", 0))
    [message] = played.received(PHONE)
    assert (message["body"], message["participant_sid"]) == ("Hello", participant_sid)


@pytest.mark.parametrize(
    ("phone", "proxy"), [(WHATSAPP, WHATSAPP_OWN), ("rcs:ada_phone", "rcs:own_agent")]
)
def test_a_message_of_a_channel_with_reads_is_read_by_the_person(
    played: PlayedConversation, phone: str, proxy: str
) -> None:
    played.bind(phone, proxy)
    path = f"/VirtualPhones/{phone}/Messages"
    # It opens the window of WhatsApp.
    played.phones.post(path, To=proxy, Body="Hi").expect(201)
    message_sid = played.write("Hello")
    [message] = played.received(phone)
    played.wait_for(message_sid, ("delivered", 0))
    read = played.phones.post(f"{path}/{message['sid']}", Status="read").expect(200)
    assert read["status"] == "read"
    played.wait_for(message_sid, ("read", 0))


def test_a_received_sms_cannot_be_read(played: PlayedConversation) -> None:
    played.bind(PHONE, OWN)
    message_sid = played.write("Hello")
    [message] = played.received(PHONE)
    played.wait_for(message_sid, ("delivered", 0))
    path = f"/VirtualPhones/{PHONE}/Messages"
    played.phones.post(f"{path}/{message['sid']}", Status="read").refuses(400, 20001)
    assert played.received(PHONE) == [message]
    assert played.results(message_sid) == [("delivered", 0)]


def test_a_whatsapp_phone_that_reads_reports_it_at_once(played: PlayedConversation) -> None:
    played.bind(WHATSAPP, WHATSAPP_OWN)
    played.set(WHATSAPP, Reads="true")
    path = f"/VirtualPhones/{WHATSAPP}/Messages"
    played.phones.post(path, To=WHATSAPP_OWN, Body="Hi").expect(201)
    played.wait_for(played.write("Hello"), ("read", 0))


@pytest.mark.channel("9", "C37", "C38")
def test_stop_fails_later_messages_and_start_restores_them(played: PlayedConversation) -> None:
    played.bind(PHONE, OWN)
    path = f"/VirtualPhones/{PHONE}/Messages"
    assert played.phones.post(path, To=OWN, Body="stop").expect(201)["outcome"] == "opted_out"
    # The automatic response arrives, and the word is in the conversation.
    [answer] = played.received(PHONE)
    assert (answer["from"], answer["conversation_sid"]) == (OWN, None)
    assert answer["participant_sid"] is None
    assert [each["body"] for each in played.messages()] == ["stop"]
    played.wait_for(played.write("Hello"), ("failed", 21610))
    played.phones.post(path, To=OWN, Body="START").expect(201)
    played.wait_for(played.write("Hello again"), ("delivered", 0))


def test_a_group_shares_one_thread(played: PlayedConversation) -> None:
    participant_sids = played.add_group()
    message_sid = played.write("Hello all")
    members = sorted([GROUP_OWN, *MEMBERS])
    threads = [played.received(each)[0] for each in MEMBERS]
    assert [each["group"] for each in threads] == [members, members]
    assert {each["from"] for each in threads} == {GROUP_OWN}
    assert threads[0]["sid"] == threads[1]["sid"]
    assert [each["participant_sid"] for each in threads] == participant_sids
    played.wait_for(message_sid, ("delivered", 0), ("delivered", 0))


@pytest.mark.channel("11.2")
def test_a_member_s_text_is_added_once_and_not_sent_again(played: PlayedConversation) -> None:
    played.add_group()
    first, second = MEMBERS
    form = {"To": [GROUP_OWN, second], "Body": "Hi all"}
    sent = played.phones.post(f"/VirtualPhones/{first}/Messages", form).expect(201)
    assert (sent["outcome"], sent["conversation_sid"]) == ("conversation", played.sid)
    assert [(each["author"], each["body"]) for each in played.messages()] == [(first, "Hi all")]
    # The network delivered it; a later message of the server is the second one.
    played.write("Hello")
    bodies = [each["body"] for each in played.received(second, 2)]
    assert bodies == ["Hi all", "Hello"]


@pytest.mark.channel("11.3")
def test_copies_at_two_own_numbers_are_one_message(played: PlayedConversation) -> None:
    played.add_group()
    other_own = "+12135550109"
    played.add({"Identity": "bob", "MessagingBinding.ProjectedAddress": other_own})
    first, second = MEMBERS
    form = {"To": [GROUP_OWN, other_own, second], "Body": "Hi all"}
    sent = played.phones.post(f"/VirtualPhones/{first}/Messages", form).expect(201)
    assert sent["outcome"] == "conversation"
    assert [each["body"] for each in played.messages()] == ["Hi all"]


def test_media_of_a_phone_reach_another_phone(played: PlayedConversation) -> None:
    other = "+12135550111"
    played.bind("+12135550110", "+12135550100")
    played.bind(other, "+12135550100")
    form = multipart([("To", "+12135550100")], [("cat.png", "image/png", CAT)])
    played.phones.post("/VirtualPhones/+12135550110/Messages", **form).expect(201)
    [received] = played.received(other)
    assert received["sid"].startswith("MM")
    [medium] = received["media"]
    assert (medium["content_type"], medium["size"]) == ("image/png", len(CAT))
    assert played.phones.get(medium["url"]).body == CAT
