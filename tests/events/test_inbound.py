"""Inbound messages find their conversation, open it again, and are never added twice."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from parlour.channels.carrier import InboundMedium, InboundRefused
from parlour.resources.carrier_numbers.store import CarrierNumber
from parlour.vocabulary import limits
from tests.events.in_process_server import ACCOUNT_SID
from tests.events.inbound_setup import (
    OWN,
    PHONE,
    SECOND_OWN,
    SECOND_PHONE,
    InboundSetup,
    MediaKeeper,
    ScenarioRunner,
    scenario_runner,
    text_message,
)
from tests.events.webhook_backend import respond_with

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scenario on a separate server."""
    return scenario_runner(tmp_path)


@pytest.mark.channel("3.1")
def test_a_message_of_a_bound_pair_is_added_with_its_sender_as_author(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.listen()
        conversation = await setup.converse()
        await setup.instance.send_message(conversation.sid, "from us")
        result = await setup.receive(text_message("from the phone"))

        (participant,) = await setup.participants(conversation.sid)
        assert result.outcome == "conversation"
        assert result.reason is None
        assert result.conversation_sid == conversation.sid
        assert result.participant_sid == participant.sid
        added = (await setup.messages(conversation.sid))[1]
        assert (added.sid, added.message_index) == (result.message_sid, 1)
        assert (added.author, added.participant_sid) == (PHONE, participant.sid)
        assert (added.body, added.attributes, added.source) == ("from the phone", "{}", "SMS")
        assert added.receipts_total == 0

        (posted,) = await setup.post_requests()
        assert posted == {
            "AccountSid": ACCOUNT_SID,
            "Attributes": "{}",
            "Author": PHONE,
            "Body": "from the phone",
            "ChatServiceSid": conversation.service_sid,
            "ConversationSid": conversation.sid,
            "DateCreated": posted["DateCreated"],
            "EventType": "onMessageAdded",
            "Index": "1",
            "MessageSid": result.message_sid,
            "MessagingServiceSid": conversation.messaging_service_sid,
            "ParticipantSid": participant.sid,
            "RetryCount": "0",
            "Source": "SMS",
        }
        assert setup.backend.events_sent_to("/pre") == ["onMessageAdd"]

    run_scenario(scenario)


@pytest.mark.channel("3.2")
def test_a_message_makes_an_inactive_conversation_active_by_event(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.listen()
        conversation = await setup.converse()
        await setup.instance.do("UpdateConversation", {"State": "inactive"}, Sid=conversation.sid)
        await setup.receive(text_message())

        assert (await setup.fetch(conversation.sid)).state == "active"
        added, changed = await setup.post_requests()
        assert (added["EventType"], added["Source"]) == ("onMessageAdded", "SMS")
        assert changed["EventType"] == "onConversationStateUpdated"
        assert (changed["StateFrom"], changed["StateTo"]) == ("inactive", "active")
        assert (changed["Reason"], changed["Source"]) == ("EVENT", "SMS")

    run_scenario(scenario)


def test_a_message_restarts_the_timers_of_its_conversation(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse(**{"Timers.Inactive": "PT1H"})
        before = (await setup.fetch(conversation.sid)).date_inactive
        await asyncio.sleep(0.01)
        await setup.receive(text_message())
        after = (await setup.fetch(conversation.sid)).date_inactive
        assert before is not None
        assert after is not None
        assert after > before

    run_scenario(scenario)


@pytest.mark.parametrize("ending", ["closed", "participant removed", "deleted"])
def test_a_message_of_a_released_pair_is_dropped_with_the_reason(
    run_scenario: ScenarioRunner, ending: str
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        if ending == "closed":
            await setup.instance.do("UpdateConversation", {"State": "closed"}, Sid=conversation.sid)
        elif ending == "deleted":
            await setup.instance.do("DeleteConversation", Sid=conversation.sid)
        else:
            (participant,) = await setup.participants(conversation.sid)
            await setup.instance.do(
                "DeleteConversationParticipant",
                ConversationSid=conversation.sid,
                Sid=participant.sid,
            )
        count = len(await setup.conversations())
        with capture_logs() as logged:
            result = await setup.receive(text_message())
        assert result.outcome == "dropped"
        assert result.reason == (
            f"no open conversation has {PHONE} with {OWN}, and {OWN} has no address configuration"
        )
        (dropped,) = [each for each in logged if each["event"] == "inbound_message_dropped"]
        assert dropped["reason"] == result.reason.replace(PHONE, f"…{PHONE[-3:]}")
        assert (result.conversation_sid, result.message_sid) == (None, None)
        assert len(await setup.conversations()) == count
        assert await setup.events() == []

    run_scenario(scenario)


def test_only_the_pair_counts_not_the_phone_alone(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        first = await setup.converse()
        second = await setup.converse(own=SECOND_OWN)
        third = await setup.converse(phone=SECOND_PHONE)
        for receiver, sender, expected in (
            (OWN, PHONE, first.sid),
            (SECOND_OWN, PHONE, second.sid),
            (OWN, SECOND_PHONE, third.sid),
            (SECOND_OWN, SECOND_PHONE, None),
        ):
            result = await setup.receive(text_message(sender=sender, receiver=receiver))
            assert result.conversation_sid == expected

    run_scenario(scenario)


@pytest.mark.channel("C6")
def test_addresses_are_compared_after_trimming_and_with_a_lower_case_prefix(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse(f"whatsapp:{PHONE}", f"whatsapp:{OWN}")
        result = await setup.receive(
            text_message(
                channel="whatsapp", sender=f" WhatsApp:{PHONE}", receiver=f"WHATSAPP:{OWN} "
            )
        )
        assert result.conversation_sid == conversation.sid

    run_scenario(scenario)


def test_a_redelivery_changes_nothing_and_has_the_same_outcome(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        message = text_message("once")
        first = await setup.receive(message)
        keys = await asyncio.gather(*(setup.accept(message) for _ in range(5)))
        assert len(set(keys)) == 1
        assert await setup.inbound.outcome(keys[0]) == first
        assert len(await setup.messages(conversation.sid)) == 1
        # Another carrier may use the same identifier for another message.
        await setup.receive(message, carrier="another")
        assert len(await setup.messages(conversation.sid)) == 2

    run_scenario(scenario)


def test_parallel_redeliveries_of_a_new_message_add_it_once(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        medium = InboundMedium("image/png", "a.png", b"bytes")
        message = text_message("once", media=(medium,))
        outcomes = await asyncio.gather(*(setup.receive(message) for _ in range(8)))
        assert len({each.message_sid for each in outcomes}) == 1
        (added,) = await setup.messages(conversation.sid)
        assert len(json.loads(added.media)) == 1

    run_scenario(scenario)


def test_messages_of_one_pair_keep_their_order(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        keys = [await setup.accept(text_message(f"text {number}")) for number in range(30)]
        await asyncio.gather(*(setup.inbound.outcome(key) for key in keys))
        bodies = [each.body for each in await setup.messages(conversation.sid)]
        assert bodies == [f"text {number}" for number in range(30)]

    run_scenario(scenario)


@pytest.mark.channel("C17")
def test_media_are_stored_before_the_acknowledgement_and_belong_to_the_message(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        medium = InboundMedium("image/jpeg", "photo.jpg", b"\xff\xd8 picture")
        await setup.receive(text_message(None, media=(medium,)))
        (added,) = await setup.messages(conversation.sid)
        assert added.body is None
        (attached,) = json.loads(added.media)
        assert (attached["content_type"], attached["filename"]) == ("image/jpeg", "photo.jpg")
        assert attached["size"] == len(b"\xff\xd8 picture")
        found = await setup.instance.do(
            "FetchMedia", ChatServiceSid=conversation.service_sid, Sid=attached["sid"]
        )
        assert found.medium.message_sid == added.sid

    run_scenario(scenario)


@pytest.mark.channel("C16")
def test_a_medium_that_its_carrier_keeps_is_read_and_one_that_is_lost_is_left_out(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INBOX_RETRY_MS", 1)

    async def scenario(setup: InboundSetup) -> None:
        keeper = MediaKeeper({"here": b"a medium"})
        setup.instance.app.channels.carriers["keeper"] = keeper  # type: ignore[assignment]
        conversation = await setup.converse()
        media = tuple(
            InboundMedium("image/png", None, None, location=each) for each in ("here", "lost")
        )
        result = await setup.receive(text_message("with media", media=media), "keeper")
        assert result.outcome == "conversation"
        (added,) = await setup.messages(conversation.sid)
        assert added.body == "with media"
        assert [each["size"] for each in json.loads(added.media)] == [len(b"a medium")]
        assert keeper.reads.count("lost") == limits.INBOUND_MEDIUM_ATTEMPTS_MAX

    run_scenario(scenario)


def test_a_body_beyond_the_limit_is_cut_at_a_character_and_nul_is_removed(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        await setup.receive(text_message("a\0" + "é" * limits.MESSAGE_BODY_BYTES_MAX))
        await setup.receive(text_message("half a pair: \ud83d"))
        long, broken = await setup.messages(conversation.sid)
        assert long.body == "a" + "é" * ((limits.MESSAGE_BODY_BYTES_MAX - 1) // 2)
        assert broken.body == "half a pair: ?"

    run_scenario(scenario)


# --- Pre-action webhooks ------------------------------------------------------------------


def test_the_pre_action_webhook_amends_a_message(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.listen()
        conversation = await setup.converse()
        answer = {"body": "amended", "author": "someone", "attributes": {"a": 1}}
        setup.backend.responders["/pre"] = respond_with(200, json.dumps(answer))
        await setup.receive(text_message("as sent"))
        (added,) = await setup.messages(conversation.sid)
        assert (added.body, added.author) == ("amended", "someone")
        assert json.loads(added.attributes) == {"a": 1}
        (asked,) = [each.values for each in setup.backend.requests if each.path == "/pre"]
        assert (asked["Body"], asked["Author"], asked["Source"]) == ("as sent", PHONE, "SMS")
        assert "MessageSid" not in asked

    run_scenario(scenario)


@pytest.mark.parametrize(
    ("status", "answer"), [(403, ""), (500, ""), (200, '{"attributes": "not JSON"}')]
)
def test_a_rejected_message_is_dropped_and_changes_nothing(
    run_scenario: ScenarioRunner, status: int, answer: str
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.listen()
        conversation = await setup.converse()
        await setup.instance.do("UpdateConversation", {"State": "inactive"}, Sid=conversation.sid)
        setup.backend.responders["/pre"] = respond_with(status, answer)
        result = await setup.receive(text_message())
        assert result.outcome == "dropped"
        assert result.reason
        assert await setup.messages(conversation.sid) == []
        assert (await setup.fetch(conversation.sid)).state == "inactive"
        assert await setup.post_requests() == []

    run_scenario(scenario)


# --- The table of numbers -----------------------------------------------------------------


def test_a_message_to_a_number_outside_the_table_is_refused(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        await setup.use_numbers(CarrierNumber(SECOND_OWN, ACCOUNT_SID))
        with pytest.raises(InboundRefused):
            await setup.inbound.accept("a carrier", text_message())
        with pytest.raises(InboundRefused):
            await setup.accept(text_message())
        assert await setup.messages(conversation.sid) == []

    run_scenario(scenario)


def test_the_table_decides_the_account_of_a_message(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        await setup.use_numbers(CarrierNumber(OWN, ACCOUNT_SID))
        key = await setup.inbound.accept("a carrier", text_message())
        assert key.account_sid == ACCOUNT_SID
        assert (await setup.inbound.outcome(key)).conversation_sid == conversation.sid
        with pytest.raises(InboundRefused):
            await setup.inbound.accept("virtual", text_message(), account_sid="AC" + "9" * 32)

    run_scenario(scenario)


def test_without_a_table_only_virtual_phones_reach_an_account(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        with pytest.raises(InboundRefused):
            await setup.inbound.accept("a carrier", text_message())

    run_scenario(scenario)
