"""Effects of inbound messages beside the conversation: keywords, windows, metadata, webhooks."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from parlour.channels.carrier import InboundEmail, InboundMedium, MailRecipient
from parlour.protocol.signatures import is_signed
from parlour.resources.carrier_numbers.store import CarrierNumber, OptOutSettings
from parlour.resources.opt_outs import store as opt_out_store
from parlour.resources.whatsapp_windows import store as whatsapp_window_store
from parlour.vocabulary import limits
from tests.events.in_process_server import ACCOUNT_SID, AUTH_TOKEN, poll_until
from tests.events.inbound_setup import (
    OWN,
    PHONE,
    SECOND_PHONE,
    SERVICE,
    InboundSetup,
    ScenarioRunner,
    scenario_runner,
    text_message,
)
from tests.events.webhook_backend import respond_with

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction

REPLIES = "SELECT sender, recipients, content FROM submission WHERE conversation_sid = '' LIMIT 100"
TOLL_FREE = "+18885550100"


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scenario on a separate server."""
    return scenario_runner(tmp_path)


async def is_opted_out(
    setup: InboundSetup, service_sid: str | None = None, own: str = OWN, phone: str = PHONE
) -> bool:
    """Return whether the phone opted out of the own number's messages."""
    return await setup.instance.store.read(
        lambda tx: opt_out_store.is_opted_out(tx, setup.instance.scope, service_sid, own, phone)
    )


async def replies(setup: InboundSetup) -> list[tuple[str, str, str]]:
    """Return sender, recipient and text of automatic replies in the outbox."""
    rows = await setup.instance.store.read(lambda tx: tx.all(REPLIES))
    found = []
    for sender, recipients, content in rows:
        (recipient,) = json.loads(recipients)
        found.append((sender, recipient["address"], json.loads(content)["body"]))
    return found


# --- Keywords -----------------------------------------------------------------------------


def test_stop_and_start_change_the_state_and_are_delivered_as_messages(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        texts = OptOutSettings()
        stopped = await setup.receive(text_message(" stop "))
        assert (stopped.outcome, stopped.conversation_sid) == ("opted_out", conversation.sid)
        assert await is_opted_out(setup)
        assert not await is_opted_out(setup, phone=SECOND_PHONE)
        await setup.receive(text_message("Stop"))
        assert await replies(setup) == [(OWN, PHONE, texts.stop_text)]

        started = await setup.receive(text_message("START"))
        assert started.outcome == "conversation"
        assert not await is_opted_out(setup)
        await setup.receive(text_message("yes"))
        await setup.receive(text_message("help"))
        assert [text for _, _, text in await replies(setup)] == [
            texts.stop_text,
            texts.start_text,
            texts.help_text,
        ]
        # The words are messages of the conversation, the automatic replies are not.
        bodies = [each.body for each in await setup.messages(conversation.sid)]
        assert bodies == [" stop ", "Stop", "START", "yes", "help"]

    run_scenario(scenario)


@pytest.mark.parametrize("body", ["STOP PLEASE", "please stop", "stopp", "", "st op"])
def test_a_message_with_more_than_the_word_is_no_keyword(
    run_scenario: ScenarioRunner, body: str
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.converse()
        assert (await setup.receive(text_message(body or None))).outcome == "conversation"
        assert not await is_opted_out(setup)

    run_scenario(scenario)


def test_a_keyword_of_an_unbound_phone_counts_too(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        result = await setup.receive(text_message("ARRET"))
        assert result.outcome == "opted_out"
        assert result.reason is not None
        assert await is_opted_out(setup)

    run_scenario(scenario)


def test_sms_and_rcs_share_opt_outs_and_whatsapp_has_none(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        whatsapp = {"channel": "whatsapp", "sender": f"whatsapp:{PHONE}"}
        await setup.receive(text_message("STOP", receiver=f"whatsapp:{OWN}", **whatsapp))
        assert not await is_opted_out(setup, own=f"whatsapp:{OWN}", phone=f"whatsapp:{PHONE}")
        await setup.receive(
            text_message("STOP", channel="rcs", sender=f"rcs:{PHONE}", receiver=f"rcs:{OWN}")
        )
        assert await is_opted_out(setup)

    run_scenario(scenario)


def test_an_opt_out_of_a_messaging_service_covers_its_numbers(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        custom = OptOutSettings(stop_words=("HALT",), stop_text="", start_words=("GO",))
        await setup.use_numbers(
            CarrierNumber(OWN, ACCOUNT_SID, messaging_service_sid=SERVICE, opt_out=custom)
        )
        assert (await setup.receive(text_message("STOP"))).outcome == "dropped"
        assert (await setup.receive(text_message("halt"))).outcome == "opted_out"
        assert await is_opted_out(setup, SERVICE, own="+15017122699")
        assert not await is_opted_out(setup, None, own="+15017122699")
        assert await replies(setup) == []
        await setup.receive(text_message("go"))
        assert not await is_opted_out(setup, SERVICE)

    run_scenario(scenario)


def test_toll_free_numbers_have_their_own_words_and_no_reply_from_here(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        assert (await setup.receive(text_message("END", receiver=TOLL_FREE))).outcome == "dropped"
        await setup.receive(text_message("STOP", receiver=TOLL_FREE))
        assert await is_opted_out(setup, own=TOLL_FREE)
        await setup.receive(text_message("YES", receiver=TOLL_FREE))
        assert await is_opted_out(setup, own=TOLL_FREE)
        await setup.receive(text_message("UNSTOP", receiver=TOLL_FREE))
        assert not await is_opted_out(setup, own=TOLL_FREE)
        assert await replies(setup) == []

    run_scenario(scenario)


def test_short_codes_are_handled_only_in_a_messaging_service(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.receive(text_message("STOP", receiver="12345"))
        assert not await is_opted_out(setup, own="12345")
        await setup.use_numbers(CarrierNumber("12345", ACCOUNT_SID, messaging_service_sid=SERVICE))
        await setup.receive(text_message("STOP", receiver="12345"))
        assert await is_opted_out(setup, SERVICE, own="12345")

    run_scenario(scenario)


def test_a_rejected_message_still_opts_out(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.listen()
        await setup.converse()
        setup.backend.responders["/pre"] = respond_with(403)
        result = await setup.receive(text_message("STOP"))
        assert (result.outcome, result.message_sid) == ("opted_out", None)
        assert await is_opted_out(setup)

    run_scenario(scenario)


# --- WhatsApp -----------------------------------------------------------------------------


def whatsapp_message(body: str | None = "Hello", **changes: Any) -> Any:
    """Return a message of a WhatsApp user with a profile name."""
    pair = {"sender": f"whatsapp:{PHONE}", "receiver": f"whatsapp:{OWN}"}
    made = {"channel": "whatsapp", "profile_name": "Ann", **pair, **changes}
    return text_message(body, **made)


async def window(setup: InboundSetup, user: str = f"whatsapp:{PHONE}") -> int | None:
    """Return when the user last wrote to the own number."""

    async def read(tx: Transaction) -> int | None:
        return await whatsapp_window_store.last_inbound_ms(
            tx, setup.instance.scope, f"whatsapp:{OWN}", user
        )

    return await setup.instance.store.read(read)


def test_each_message_opens_the_window_even_if_no_conversation_takes_it(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        assert await window(setup) is None
        first = await setup.accept(whatsapp_message())
        await setup.inbound.outcome(first)
        opened_ms = await window(setup)
        assert opened_ms == (await setup.entry(first)).date_created
        await asyncio.sleep(0.005)
        await setup.receive(whatsapp_message())
        assert opened_ms < (await window(setup) or 0)
        assert await window(setup, f"whatsapp:{SECOND_PHONE}") is None

    run_scenario(scenario)


def test_a_whatsapp_message_has_channel_metadata_over_rest_and_in_the_webhook(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure(f"whatsapp:{OWN}", "whatsapp")
        await setup.listen()
        data = {"button": {"text": "Yes"}}
        result = await setup.receive(whatsapp_message(metadata=data))
        expected = {**data, "context": {"ProfileName": "Ann", "WaId": PHONE[1:]}}
        assert result.conversation_sid is not None
        assert result.message_sid is not None
        found = await setup.instance.do(
            "FetchConversationMessageChannelMetadata",
            ConversationSid=result.conversation_sid,
            MessageSid=result.message_sid,
        )
        assert (found.message_sid, found.type) == (result.message_sid, "whatsapp")
        assert json.loads(found.data) == expected
        requests = await setup.post_requests()
        shown = json.loads(requests[0]["ChannelMetadata"])
        assert shown == {"type": "whatsapp", "data": expected}
        assert {each["Source"] for each in requests} == {"WHATSAPP"}

    run_scenario(scenario)


def test_a_whatsapp_user_without_a_number_gets_a_conversation_by_its_id(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure(f"whatsapp:{OWN}", "whatsapp")
        result = await setup.receive(whatsapp_message(sender="whatsapp:US.13491208655302741918"))
        (participant,) = await setup.participants(result.conversation_sid)
        assert participant.address == "whatsapp:US.13491208655302741918"
        again = await setup.receive(whatsapp_message(sender="whatsapp:US.13491208655302741918"))
        assert again.conversation_sid == result.conversation_sid

    run_scenario(scenario)


# --- Initializing conversations -----------------------------------------------------------


def test_a_message_waits_until_its_conversation_is_active(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        await set_state(setup, conversation.sid, "initializing")
        keys = [await setup.accept(text_message(str(number))) for number in range(3)]
        await poll_until(lambda: is_deferred(setup, keys[0]))
        assert await setup.messages(conversation.sid) == []
        await set_state(setup, conversation.sid, "active")
        for key in keys:
            assert (await setup.inbound.outcome(key)).outcome == "conversation"
        bodies = [each.body for each in await setup.messages(conversation.sid)]
        assert bodies == ["0", "1", "2"]

    run_scenario(scenario)


def test_a_message_whose_conversation_never_becomes_active_is_dropped(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INITIALIZING_WAIT_MS", 50)
    monkeypatch.setattr(limits, "INITIALIZING_RETRY_MS", 10)

    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        await set_state(setup, conversation.sid, "initializing")
        result = await setup.receive(text_message())
        assert result.outcome == "dropped"
        assert result.reason is not None
        assert "initializing" in result.reason

    run_scenario(scenario)


async def set_state(setup: InboundSetup, conversation_sid: str, state: str) -> None:
    """Set the state of a conversation, as the background creation of participants does."""
    from parlour.resources.conversations import store as conversation_store  # noqa: PLC0415

    async def change(tx: Transaction) -> None:
        scope = setup.instance.scope
        found = await conversation_store.find_conversation(tx, scope, conversation_sid)
        assert found is not None
        after = msgspec.structs.replace(found, state=state)
        await conversation_store.update_conversation_row(tx, scope, after)

    await setup.instance.store.write(change)


async def is_deferred(setup: InboundSetup, key: Any) -> bool:
    """Return whether the message was tried, and is due again."""
    entry = await setup.entry(key)
    return entry.date_updated > entry.date_created


# --- Plain incoming-message webhooks ------------------------------------------------------


def test_an_unbound_message_goes_to_the_plain_webhook_with_classic_parameters(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        url = setup.backend.url("/incoming")
        await setup.use_numbers(
            CarrierNumber(OWN, ACCOUNT_SID, messaging_service_sid=SERVICE, incoming_url=url)
        )
        medium = InboundMedium("image/png", "a.png", b"bytes")
        key = await setup.accept(text_message("Hi", media=(medium,)))
        result = await setup.inbound.outcome(key)
        assert result.outcome == "plain_webhook"
        await poll_until(lambda: is_done(setup, key))
        (request,) = [each for each in setup.backend.requests if each.path == "/incoming"]
        sid = (await setup.entry(key)).channel_message_sid
        values = request.values
        media_url = values.pop("MediaUrl0")
        assert "/media-direct/" in media_url
        assert values == {
            "MessageSid": sid,
            "SmsSid": sid,
            "SmsMessageSid": sid,
            "AccountSid": ACCOUNT_SID,
            "MessagingServiceSid": SERVICE,
            "From": PHONE,
            "To": OWN,
            "Body": "Hi",
            "SmsStatus": "received",
            "NumSegments": "1",
            "NumMedia": "1",
            "MediaContentType0": "image/png",
            "ApiVersion": "2010-04-01",
        }
        assert sid.startswith("MM")
        assert is_signed(AUTH_TOKEN, url, request.headers["x-twilio-signature"], request.pairs)

    run_scenario(scenario)


async def is_done(setup: InboundSetup, key: Any) -> bool:
    """Return whether nothing is left to do for a message."""
    return (await setup.entry(key)).state == "done"


@pytest.mark.parametrize("also", [False, True])
def test_a_captured_message_reaches_the_plain_webhook_only_by_the_option(
    run_scenario: ScenarioRunner, also: bool
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        await setup.use_numbers(
            CarrierNumber(
                OWN,
                ACCOUNT_SID,
                incoming_url=setup.backend.url("/incoming"),
                incoming_method="GET",
                also_plain_webhook=also,
            )
        )
        key = await setup.accept(text_message("Hi"))
        result = await setup.inbound.outcome(key)
        assert (result.outcome, result.conversation_sid) == ("conversation", conversation.sid)
        await poll_until(lambda: is_done(setup, key))
        requests = [each for each in setup.backend.requests if each.path == "/incoming"]
        assert [each.method for each in requests] == (["GET"] if also else [])

    run_scenario(scenario)


def test_a_failing_plain_webhook_is_tried_again_with_the_same_token_then_given_up(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INCOMING_WEBHOOK_RETRY_MS", 1)

    async def scenario(setup: InboundSetup) -> None:
        await setup.use_numbers(
            CarrierNumber(OWN, ACCOUNT_SID, incoming_url=setup.backend.url("/incoming"))
        )
        setup.backend.responders["/incoming"] = respond_with(503)
        key = await setup.accept(text_message())
        await poll_until(lambda: is_done(setup, key))
        requests = [each for each in setup.backend.requests if each.path == "/incoming"]
        assert len(requests) == limits.INCOMING_WEBHOOK_ATTEMPTS_MAX
        assert len({each.headers["i-twilio-idempotency-token"] for each in requests}) == 1
        entry = await setup.entry(key)
        assert entry.outcome == "plain_webhook"
        assert entry.reason == "the incoming-message webhook failed: HTTP 503"

        setup.backend.responders["/incoming"] = respond_with(404)
        other = await setup.accept(text_message())
        await poll_until(lambda: is_done(setup, other))
        requests = [each for each in setup.backend.requests if each.path == "/incoming"]
        assert len(requests) == limits.INCOMING_WEBHOOK_ATTEMPTS_MAX + 1

    run_scenario(scenario)


# --- E-mail -------------------------------------------------------------------------------

HELP = "help@example.com"
ANN = "Ann@example.org"


def mail(body: str = "Hello", **changes: Any) -> Any:
    """Return a mail of Ann to the help desk; ``changes`` are parts of the mail."""
    email = InboundEmail(
        subject="A question",
        message_id="<one@example.org>",
        sender_name="Ann",
        recipients=(MailRecipient(HELP, "to"),),
    )
    sender = changes.pop("sender", ANN)
    receiver = changes.pop("receiver", HELP)
    return text_message(
        body,
        channel="email",
        sender=sender,
        receiver=receiver,
        email=msgspec.structs.replace(email, **changes),
    )


async def help_desk(setup: InboundSetup, address: str = ANN) -> Any:
    """Create a conversation of the help desk with one mailbox."""
    conversation = await setup.instance.do("CreateConversation", {"Bindings.Email.Address": HELP})
    await setup.add(conversation.sid, Address=address)
    return conversation


def test_a_mail_finds_its_conversation_by_tag_then_references_then_sender(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        tagged = await help_desk(setup)
        referenced = await help_desk(setup)
        last = await help_desk(setup)
        reference = f"<IM{'1' * 32}.{referenced.sid}@example.com>"
        by_tag = await setup.receive(
            mail("by tag", conversation_sid=tagged.sid, references=(reference,))
        )
        assert by_tag.conversation_sid == tagged.sid
        by_reference = await setup.receive(
            mail("by reference", references=("<other@example.org>", reference))
        )
        assert by_reference.conversation_sid == referenced.sid
        # The conversation with the last activity.
        await setup.instance.send_message(last.sid, "now the last one")
        assert (await setup.receive(mail("by sender"))).conversation_sid == last.sid
        (added,) = await setup.messages(tagged.sid)
        assert (added.subject, added.author, added.source) == ("A question", ANN, "EMAIL")
        assert added.participant_sid == by_tag.participant_sid is not None

    run_scenario(scenario)


def test_a_mail_to_a_closed_conversation_or_with_a_foreign_tag_creates_another(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure(HELP, "email")
        conversation = await help_desk(setup)
        await setup.instance.do("UpdateConversation", {"State": "closed"}, Sid=conversation.sid)
        result = await setup.receive(mail(conversation_sid=conversation.sid))
        assert result.outcome == "auto_created"
        assert result.conversation_sid != conversation.sid
        created = await setup.fetch(result.conversation_sid)
        assert created.email_address == HELP
        (participant,) = await setup.participants(created.sid)
        assert (participant.address, participant.binding_level) == (ANN, "to")
        assert participant.binding_name == "Ann"
        again = await setup.receive(mail(conversation_sid="CH" + "9" * 32))
        assert again.conversation_sid == created.sid

    run_scenario(scenario)


def test_a_mail_to_two_own_addresses_is_added_to_one_conversation_once(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await help_desk(setup)
        first = await setup.receive(mail(conversation_sid=conversation.sid))
        second = await setup.receive(
            mail(conversation_sid=conversation.sid, receiver="sales@example.com")
        )
        assert second.message_sid == first.message_sid
        assert len(await setup.messages(conversation.sid)) == 1

    run_scenario(scenario)
