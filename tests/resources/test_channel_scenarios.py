"""Scenarios of channels on virtual phones, by REST requests.

Each is a row of docs/reference/channel-decisions.md.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.settings_setup import new_account_api
from tests.resources.test_played_phones import (
    GROUP_OWN,
    MEMBERS,
    OWN,
    PHONE,
    WHATSAPP,
    WHATSAPP_OWN,
    PlayedConversation,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Server

SECOND = "+15558675311"
OTHER_OWN = "+12135550109"
# The table of 3GPP lengths: a text, its encoding, and its segments.
SEGMENTS = [
    ("A" * 160, "GSM-7", 1),
    ("A" * 161, "GSM-7", 2),
    ("A" * 306, "GSM-7", 2),
    ("A" * 307, "GSM-7", 3),
    ("€" * 80, "GSM-7", 1),
    ("€" * 81, "GSM-7", 2),
    ("a" * 152 + "€" + "b" * 8, "GSM-7", 2),
    ("“smart”", "UCS-2", 1),
    ("П" * 70, "UCS-2", 1),
    ("П" * 71, "UCS-2", 2),
    ("П" * 134, "UCS-2", 2),
    ("П" * 135, "UCS-2", 3),
    ("😀" * 35, "UCS-2", 1),
    ("😀" * 36, "UCS-2", 2),
    ("A" * 1600, "GSM-7", 11),
    ("П" * 1600, "UCS-2", 24),
]


@pytest.fixture
def played(server: Server) -> Iterator[PlayedConversation]:
    """A conversation of a new account."""
    api = new_account_api(server)
    yield PlayedConversation(api)
    api.close()


def text(played: PlayedConversation, phone: str, *to: str, body: str = "Hi") -> dict[str, Any]:
    """Send a text of a phone; return the response: the message as the phone shows it."""
    path = f"/VirtualPhones/{phone}/Messages"
    form: dict[str, Any] = {"To": list(to), "Body": body}
    sent: dict[str, Any] = played.phones.post(path, form).expect(201)
    return sent


def inbox(played: PlayedConversation, phone: str) -> list[dict[str, Any]]:
    """Return the messages of a phone that are received, without a timeout: those until now."""
    path = f"/VirtualPhones/{phone}/Messages"
    found: list[dict[str, Any]] = played.phones.get(path, Direction="received").expect(200)[
        "messages"
    ]
    return found


def delivery(played: PlayedConversation, message_sid: str) -> dict[str, Any]:
    """Return the delivery summary of a response, without the statuses that no receipt reached."""
    path = f"/Conversations/{played.sid}/Messages/{message_sid}"
    found = played.api.get(path).expect(200)["delivery"]
    return {name: word for name, word in found.items() if word != "none"}


@pytest.mark.channel("6")
def test_a_message_without_an_author_reaches_each_phone_from_its_own_sender(
    played: PlayedConversation,
) -> None:
    participants = {played.bind(PHONE, OWN), played.bind(WHATSAPP, WHATSAPP_OWN)}
    played.api.post(f"/Conversations/{played.sid}/Participants", Identity="ada").expect(201)
    text(played, WHATSAPP, WHATSAPP_OWN)
    made = played.api.post(f"/Conversations/{played.sid}/Messages", Body="Hello").expect(201)
    assert (made["author"], made["delivery"]["total"]) == ("system", 2)
    [by_whatsapp] = played.received(WHATSAPP)
    by_sms = played.received(PHONE, 2)[-1]
    assert (by_whatsapp["from"], by_whatsapp["to"]) == (WHATSAPP_OWN, [WHATSAPP])
    assert (by_sms["from"], by_sms["to"]) == (OWN, [PHONE])
    assert by_sms["body"] == by_whatsapp["body"] == "Hello"
    played.wait_for(made["sid"], ("delivered", 0), ("delivered", 0))
    assert {each["participant_sid"] for each in played.receipts(made["sid"])} == participants


@pytest.mark.channel("7")
def test_a_text_by_sms_reaches_the_whatsapp_participant_and_not_its_author(
    played: PlayedConversation,
) -> None:
    played.bind(PHONE, OWN)
    played.bind(WHATSAPP, WHATSAPP_OWN)
    text(played, WHATSAPP, WHATSAPP_OWN, body="Any news?")
    played.received(PHONE)
    text(played, PHONE, OWN, body="Not yet")
    [received] = played.received(WHATSAPP)
    assert (received["from"], received["body"]) == (WHATSAPP_OWN, "Not yet")
    assert [each["body"] for each in inbox(played, PHONE)] == ["Any news?"]


@pytest.mark.channel("8.1", "C3", "C31", "C35")
def test_the_summary_follows_each_step_of_a_receipt_and_the_read_horizon_stays(
    played: PlayedConversation,
) -> None:
    participant = played.bind(WHATSAPP, WHATSAPP_OWN)
    text(played, WHATSAPP, WHATSAPP_OWN)
    played.set(WHATSAPP, Behaviour="off")
    made = played.write("Hello")
    played.wait_for(made, ("sent", 0))
    assert delivery(played, made) == {"total": 1, "sent": "all"}
    played.set(WHATSAPP, Behaviour="deliver")
    played.wait_for(made, ("delivered", 0))
    assert delivery(played, made) == {"total": 1, "sent": "all", "delivered": "all"}
    [received] = played.received(WHATSAPP)
    played.phones.post(
        f"/VirtualPhones/{WHATSAPP}/Messages/{received['sid']}", Status="read"
    ).expect(200)
    played.wait_for(made, ("read", 0))
    all_of_them = {"sent": "all", "delivered": "all", "read": "all"}
    assert delivery(played, made) == {"total": 1, **all_of_them}
    path = f"/Conversations/{played.sid}/Participants/{participant}"
    shown = played.api.get(path).expect(200)
    assert (shown["last_read_message_index"], shown["last_read_timestamp"]) == (None, None)
    moved = played.api.post(path, LastReadMessageIndex="1").expect(200)
    assert moved["last_read_message_index"] == 1


@pytest.mark.channel("9", "C38")
def test_a_stop_fails_the_messages_of_its_writer_only_until_a_start(
    played: PlayedConversation,
) -> None:
    played.bind(PHONE, OWN)
    played.bind(SECOND, OWN)
    assert text(played, PHONE, OWN, body="STOP")["outcome"] == "opted_out"
    [word] = played.received(SECOND)
    assert word["body"] == "STOP"
    stopped = played.write("Hello")
    played.wait_for(stopped, ("failed", 21610), ("delivered", 0))
    assert delivery(played, stopped)["failed"] == "some"
    assert text(played, PHONE, OWN, body="start")["outcome"] == "conversation"
    played.wait_for(played.write("Again"), ("delivered", 0), ("delivered", 0))
    # The replies to both words arrive in no order with the messages: a backlog holds none back.
    bodies = {each["body"] for each in inbox(played, PHONE)}
    assert "Again" in bodies
    assert "Hello" not in bodies


@pytest.mark.channel("9", "C37")
def test_a_stop_in_a_group_concerns_each_own_number_and_its_reply_goes_to_the_writer_alone(
    played: PlayedConversation,
) -> None:
    played.add_group()
    played.add({"Identity": "bob", "MessagingBinding.ProjectedAddress": OTHER_OWN})
    first, second = MEMBERS
    text(played, first, GROUP_OWN, OTHER_OWN, second, body="STOP")
    replies = played.received(first, 2)
    assert {each["from"] for each in replies} == {GROUP_OWN, OTHER_OWN}
    assert {each["group"] for each in replies if each["group"]} == set()
    assert {each["conversation_sid"] for each in replies} == {None}
    assert [each["body"] for each in inbox(played, second)] == ["STOP"]
    assert [each["body"] for each in played.messages()] == ["STOP"]
    for author in ("ada", "bob"):
        played.wait_for(played.write("Hello", author), ("failed", 21610), ("delivered", 0))
    path = f"/Conversations/{played.sid}/Participants"
    assert len(played.api.get(path).expect(200)["participants"]) == 4


@pytest.mark.channel("10")
def test_whatsapp_takes_a_template_until_the_user_writes_and_then_any_text(
    played: PlayedConversation,
) -> None:
    played.bind(WHATSAPP, WHATSAPP_OWN)
    played.wait_for(played.write("Hello"), ("undelivered", 63016))
    content = {
        "friendly_name": "table",
        "language": "en",
        "types": {"twilio/text": {"body": "A table for {{1}}."}},
    }
    headers = {"Content-Type": "application/json"}
    template = played.api.request("POST", "/Content", body=json.dumps(content), headers=headers)
    sid = template.expect(201)["sid"]
    approval = {"name": "table_ready", "category": "UTILITY"}
    played.api.post(f"/Content/{sid}/ApprovalRequests/whatsapp", approval).expect(201)
    form = {"ContentSid": sid, "ContentVariables": '{"1":"four"}'}
    made = played.api.post(f"/Conversations/{played.sid}/Messages", form).expect(201)
    played.wait_for(made["sid"], ("delivered", 0))
    assert [each["body"] for each in played.received(WHATSAPP)] == ["A table for four."]
    text(played, WHATSAPP, WHATSAPP_OWN)
    played.wait_for(played.write("Hello"), ("delivered", 0))


@pytest.mark.channel("11.1")
def test_each_message_to_a_group_is_one_mms_at_each_member_and_none_at_own_numbers(
    played: PlayedConversation,
) -> None:
    played.add_group()
    sent = [played.write(body) for body in ("one", "two")]
    for each in sent:
        played.wait_for(each, ("delivered", 0), ("delivered", 0))
    for member in MEMBERS:
        found = inbox(played, member)
        assert [each["body"] for each in found] == ["one", "two"]
        assert {tuple(each["group"]) for each in found} == {tuple(sorted((GROUP_OWN, *MEMBERS)))}
    phones = played.phones.get("/VirtualPhones").expect(200)["virtual_phones"]
    assert {each["address"] for each in phones} == set(MEMBERS)


@pytest.mark.channel("13", "C36")
def test_texts_arrive_whole_and_unchanged_in_the_segments_of_their_characters(
    played: PlayedConversation,
) -> None:
    played.bind(PHONE, OWN)
    for body, _, _ in SEGMENTS:
        played.write(body)
    found = played.received(PHONE, len(SEGMENTS))
    assert [(each["body"], each["encoding"], each["segments"]) for each in found] == SEGMENTS


@pytest.mark.channel("C27")
def test_a_text_beyond_the_limit_of_a_channel_is_accepted_and_fails_there(
    played: PlayedConversation,
) -> None:
    played.bind(PHONE, OWN)
    played.bind(WHATSAPP, WHATSAPP_OWN)
    text(played, WHATSAPP, WHATSAPP_OWN)
    for body in ("x" * 1601, "x" * 32_768):
        made = played.write(body)
        played.wait_for(made, ("failed", 21617), ("failed", 21617))
    path = f"/Conversations/{played.sid}/Messages"
    played.api.post(path, Body="x" * 32_769).refuses(400, 50504)


@pytest.mark.channel("C6")
@pytest.mark.parametrize(
    ("address", "proxy", "bound"),
    [
        (f" {PHONE} ", f"{OWN}\n", (PHONE, OWN)),
        (f"WhatsApp:{PHONE}", f" WHATSAPP:{OWN}", (WHATSAPP, f"whatsapp:{OWN}")),
        ("Messenger:AbC", "messenger:Page", ("messenger:AbC", "messenger:Page")),
    ],
)
def test_addresses_are_bound_trimmed_and_with_a_lower_case_prefix(
    played: PlayedConversation, address: str, proxy: str, bound: tuple[str, str]
) -> None:
    sid = played.bind(address, proxy)
    path = f"/Conversations/{played.sid}/Participants"
    shown = played.api.get(f"{path}/{sid}").expect(200)["messaging_binding"]
    assert (shown["address"], shown["proxy_address"]) == bound
    form = {"MessagingBinding.Address": bound[0], "MessagingBinding.ProxyAddress": bound[1]}
    played.api.post(path, form).refuses(409, 50416)
    found = played.api.get("/ParticipantConversations", Address=address).expect(200)
    assert [each["conversation_sid"] for each in found["conversations"]] == [played.sid]


@pytest.mark.channel("C6")
def test_a_mailbox_is_bound_with_its_domain_in_lower_case(played: PlayedConversation) -> None:
    path = f"/Conversations/{played.sid}/Participants"
    form = {"MessagingBinding.Address": "Ann.Lee@Customer.Example"}
    made = played.api.post(path, form).expect(201)
    assert made["messaging_binding"]["address"] == "Ann.Lee@customer.example"


@pytest.mark.channel("C6")
@pytest.mark.parametrize(
    ("address", "proxy", "code"),
    [
        (PHONE.replace("+", " "), OWN, 50407),
        (PHONE, OWN.replace("+", " "), 50408),
        # Rejected, although a request without the blank would have a short code.
        (PHONE, " 12345", 50408),
        (f"whatsapp: {PHONE[1:]}", f"whatsapp:{OWN}", 50407),
    ],
)
def test_a_blank_in_place_of_the_plus_sign_is_invalid(
    played: PlayedConversation, address: str, proxy: str, code: int
) -> None:
    form = {"MessagingBinding.Address": address, "MessagingBinding.ProxyAddress": proxy}
    played.api.post(f"/Conversations/{played.sid}/Participants", form).refuses(400, code)


@pytest.mark.channel("C6", "C19")
def test_a_configured_address_is_stored_in_the_form_that_messages_are_compared_with(
    played: PlayedConversation,
) -> None:
    form = {"Type": "WhatsApp", "Address": f" WhatsApp:{OWN} ", "AutoCreation.Enabled": "true"}
    made = played.api.post("/Configuration/Addresses", form).expect(201)
    assert (made["type"], made["address"]) == ("whatsapp", f"whatsapp:{OWN}")
    assert text(played, WHATSAPP, f"whatsapp:{OWN}")["outcome"] == "auto_created"


@pytest.mark.channel("4")
def test_a_text_that_nothing_expects_creates_nothing(played: PlayedConversation) -> None:
    sent = text(played, PHONE, OWN)
    assert (sent["outcome"], sent["conversation_sid"]) == ("dropped", None)
    found = played.api.get("/Conversations").expect(200)["conversations"]
    assert [each["sid"] for each in found] == [played.sid]
    assert played.messages() == []
