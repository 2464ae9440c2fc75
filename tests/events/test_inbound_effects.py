"""Other effects of inbound messages: windows, metadata, waiting, plain webhooks."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from parlour.channels.carrier import InboundMedium
from parlour.protocol.signatures import is_signed
from parlour.resources.carrier_numbers.store import CarrierNumber
from parlour.resources.inbox import store as inbox_store
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
    from tests.events.webhook_backend import WebhookRequest


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scenario on a separate server."""
    return scenario_runner(tmp_path)


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


@pytest.mark.parametrize("path", ["/pre", "/post"])
def test_the_window_is_open_before_the_first_webhook_of_a_message(
    run_scenario: ScenarioRunner, path: str
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        opened: list[int | None] = []

        async def read_window(request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
            opened.append(await window(setup))
            await respond_with(200)(request, writer)

        setup.backend.responders[path] = read_window
        await setup.configure(f"whatsapp:{OWN}", "whatsapp")
        await setup.listen()
        await setup.receive(whatsapp_message())
        await setup.receive(whatsapp_message("Again"))
        await setup.post_requests()
        assert opened
        assert None not in opened

    run_scenario(scenario)


@pytest.mark.channel("C18")
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


@pytest.mark.channel("C40")
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


@pytest.mark.channel("C15")
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


def test_metrics_have_the_waiting_messages_and_the_outcomes(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        metrics = setup.instance.app.channels.outbox.metrics
        conversation = await setup.converse()
        await setup.receive(text_message())
        await setup.receive(text_message(sender=SECOND_PHONE))
        await set_state(setup, conversation.sid, "initializing")
        key = await setup.accept(text_message())
        await poll_until(lambda: is_deferred(setup, key))
        metrics.inbox = await setup.instance.store.read(inbox_store.measure)
        found = {
            (each.name, *each.labels.values()): each.value
            for metric in metrics.collect({})
            for each in metric.samples
        }
        assert found["parlour_inbox_queue",] == 1
        assert 0 <= found["parlour_inbox_oldest_seconds",] < 60
        total = "parlour_inbox_messages_total"
        assert (found[total, "conversation"], found[total, "dropped"]) == (1, 1)
        assert found[total, "deferred"] >= 1
        assert found[total, "auto_created"] == 0

    run_scenario(scenario)


@pytest.mark.channel("C15")
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


@pytest.mark.channel("4")
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


@pytest.mark.channel("C14")
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
