"""Scenarios of channels in the test's process, with the requests of webhooks.

Each is a row of docs/reference/channel-decisions.md.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from structlog.testing import capture_logs

from parlour.channels.carrier import InboundMedium
from parlour.operations.action_rates import ActionRates
from parlour.resources.carrier_numbers import store as carrier_number_store
from parlour.resources.carrier_numbers.store import CarrierNumber, CarrierRoute
from parlour.resources.conversations import store as conversation_store
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.clock import FakeClock
from parlour.vocabulary.errors import ApiError
from tests.events.in_process_server import ACCOUNT_SID, ALICE
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
from tests.events.test_inbound_creation import FLOW, public_events, scoped_webhooks

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction

RECEIPTS = """
SELECT participant.binding_type, receipt.status, receipt.error_code
  FROM receipt JOIN participant ON participant.sid = receipt.participant_sid
 WHERE receipt.account_sid = $1 AND receipt.message_sid = $2 ORDER BY 1
"""
RECEIVED = "SELECT body, media FROM virtual_phone_message WHERE address = $1 LIMIT 10"
AGE = "UPDATE inbox SET date_created = date_created - $2 WHERE account_sid = $1"


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scenario on a separate server."""
    return scenario_runner(tmp_path)


# --- Auto-creation


@pytest.mark.channel("5.1")
@pytest.mark.parametrize("kind", ["default", "webhook", "studio"])
def test_each_type_of_auto_creation_has_the_same_events_in_order(
    run_scenario: ScenarioRunner, kind: str
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        rules: dict[str, Any] = {
            "default": {},
            "webhook": {"WebhookUrl": setup.backend.url("/scoped")},
            "studio": {"StudioFlowSid": FLOW},
        }[kind]
        await setup.configure(Type=kind, **rules)
        await setup.listen()
        result = await setup.receive(text_message("Hello"))
        names = ["onConversationAdded", "onParticipantAdded", "onMessageAdded"]
        assert await public_events(setup) == names
        assert [each["EventType"] for each in await setup.post_requests()] == names
        # The only pre-action request, before any post-action request.
        assert setup.backend.requests[0].path == "/pre"
        assert setup.backend.events_sent_to("/pre") == ["onConversationAdd"]
        (message,) = await setup.messages(result.conversation_sid)
        assert (message.message_index, message.author, message.body) == (0, PHONE, "Hello")
        attached = await scoped_webhooks(setup, result.conversation_sid)
        expected = [] if kind == "default" else [kind]
        assert [each.target for each in attached] == expected

    run_scenario(scenario)


# --- Receipts


@pytest.mark.channel("8.2", "C33")
@pytest.mark.parametrize("receipts", ["normal", "duplicate", "early", "reversed"])
def test_each_change_of_a_receipt_is_one_webhook(
    run_scenario: ScenarioRunner, receipts: str
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.listen()
        conversation = await setup.converse()
        await setup.instance.do("CreateVirtualPhone", {"Address": PHONE})
        await setup.instance.do("UpdateVirtualPhone", {"Receipts": receipts}, Address=PHONE)
        message = await setup.instance.send_message(conversation.sid, "Hello")
        await setup.instance.wait_until_idle()
        # The reports of the second message are queued after a late one of the first.
        await setup.instance.send_message(conversation.sid, "Again")
        await setup.instance.wait_until_idle()
        found = [
            each.values
            for each in setup.backend.requests
            if each.event == event_names.ON_DELIVERY_UPDATED
            and each.values["MessageSid"] == message.sid
        ]
        assert [each["Status"] for each in found] == ["sent", "delivered"]
        assert len({each["ChannelMessageSid"] for each in found}) == 1

    run_scenario(scenario)


@pytest.mark.channel("C43")
def test_a_participant_of_a_channel_without_a_carrier_is_accepted_and_fails_with_63007(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        route = CarrierRoute("channel", "sms", "virtual")
        await setup.instance.store.write(
            lambda tx: carrier_number_store.replace_all(tx, [route], [], "a digest")
        )
        conversation = await setup.converse()
        await setup.add(conversation.sid, Address="messenger:1", ProxyAddress="messenger:page")
        message = await setup.instance.send_message(conversation.sid, "Hello")
        await setup.instance.wait_until_idle()
        found = await setup.instance.store.read(
            lambda tx: tx.all(RECEIPTS, ACCOUNT_SID, message.sid)
        )
        assert [tuple(row) for row in found] == [
            ("messenger", "failed", 63007),
            ("sms", "delivered", 0),
        ]

    run_scenario(scenario)


# --- Inbound


@pytest.mark.channel("C11")
@pytest.mark.parametrize(("age_ms", "count"), [(59_000, 1), (60_001, 2)])
def test_copies_of_a_group_message_are_one_message_within_a_minute(
    run_scenario: ScenarioRunner, age_ms: int, count: int
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure()
        first = await setup.receive(text_message("ok", group=(SECOND_PHONE, SECOND_OWN)))
        await setup.instance.store.write(lambda tx: tx.run(AGE, ACCOUNT_SID, age_ms))
        copy = text_message("ok", receiver=SECOND_OWN, group=(SECOND_PHONE, OWN))
        await setup.receive(copy)
        assert len(await setup.messages(first.conversation_sid)) == count

    run_scenario(scenario)


@pytest.mark.channel("C11")
def test_the_same_text_of_another_member_is_another_message(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure()
        first = await setup.receive(text_message("ok", group=(SECOND_PHONE, SECOND_OWN)))
        await setup.receive(
            text_message("ok", sender=SECOND_PHONE, receiver=SECOND_OWN, group=(PHONE, OWN))
        )
        authors = [each.author for each in await setup.messages(first.conversation_sid)]
        assert authors == [PHONE, SECOND_PHONE]

    run_scenario(scenario)


@pytest.mark.channel("C16")
def test_a_medium_that_cannot_be_fetched_is_logged_with_63019(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INBOX_RETRY_MS", 1)

    async def scenario(setup: InboundSetup) -> None:
        setup.instance.app.channels.carriers["keeper"] = MediaKeeper({})  # type: ignore[assignment]
        conversation = await setup.converse()
        media = (InboundMedium("image/png", None, None, location="lost"),)
        with capture_logs() as logged:
            await setup.receive(text_message("Look", media=media), "keeper")
        (added,) = await setup.messages(conversation.sid)
        assert (added.body, added.media) == ("Look", None)
        (dropped,) = [each for each in logged if each["event"] == "inbound_medium_dropped"]
        assert dropped["code"] == 63019

    run_scenario(scenario)


@pytest.mark.channel("C44")
@pytest.mark.parametrize("writer", ["REST", "client", "phone"])
def test_each_message_restarts_the_timers_of_its_conversation(
    run_scenario: ScenarioRunner, writer: str
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        timers = {"Timers.Inactive": "PT1H", "Timers.Closed": "PT2H"}
        conversation = await setup.converse(**timers)
        sid, scope = conversation.sid, setup.instance.scope
        before = await setup.fetch(sid)
        assert before.date_inactive is not None
        assert before.date_closed is not None

        async def begin_earlier(tx: Transaction) -> None:
            earlier = msgspec.structs.replace(
                before, date_inactive=before.date_inactive - 1000, date_closed=before.date_closed
            )
            await conversation_store.update_conversation_row(tx, scope, earlier)

        await setup.instance.store.write(begin_earlier)
        if writer == "phone":
            await setup.receive(text_message())
        elif writer == "client":
            await setup.instance.do(
                "CreateConversationParticipant", {"Identity": "alice"}, ConversationSid=sid
            )
            await setup.instance.send_message(sid, "Hello", ALICE)
        else:
            await setup.instance.send_message(sid, "Hello")
        after = await setup.fetch(sid)
        assert after.date_inactive >= before.date_inactive
        assert after.date_closed - after.date_inactive == 3_600_000

    run_scenario(scenario)


@pytest.mark.channel("C45")
def test_the_limit_of_actions_per_second_rejects_no_inbound_message(tmp_path: Path) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        # A frozen clock: once REST requests have reached the rate limit, each one is rejected.
        setup.instance.app.pipeline.action_rates = ActionRates(FakeClock(), 1)

        async def is_rejected() -> bool:
            try:
                await setup.instance.send_message(conversation.sid, "from us")
            except ApiError as error:
                return (error.status, error.code) == (429, 50063)
            return False

        sent = 0
        while not await is_rejected():
            sent += 1
        keys = [await setup.accept(text_message(f"text {number}")) for number in range(50)]
        outcomes = await asyncio.gather(*map(setup.inbound.outcome, keys))
        assert {each.outcome for each in outcomes} == {"conversation"}
        bodies = [each.body for each in await setup.messages(conversation.sid)][sent:]
        assert bodies == [f"text {number}" for number in range(50)]
        assert await is_rejected()

    scenario_runner(tmp_path, actions_per_second=1)(scenario)


# --- The table of numbers


@pytest.mark.channel("C7")
@pytest.mark.parametrize("loopback", [False, True])
def test_a_number_of_the_table_is_an_address_in_a_pair_only_with_loopback(
    run_scenario: ScenarioRunner, loopback: bool
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.use_numbers(
            CarrierNumber(OWN, ACCOUNT_SID, loopback=loopback),
            CarrierNumber(SECOND_OWN, ACCOUNT_SID, loopback=loopback),
        )
        codes = []
        for address, proxy in ((SECOND_OWN, OWN), (OWN, SECOND_OWN)):
            conversation = await setup.instance.do("CreateConversation", {})
            try:
                await setup.add(conversation.sid, Address=address, ProxyAddress=proxy)
            except ApiError as error:
                codes.append(error.code)
        assert codes == ([] if loopback else [50407, 50407])
        if loopback:
            # The network delivers messages of one to the other.
            result = await setup.receive(text_message(sender=OWN, receiver=SECOND_OWN))
            assert result.outcome == "conversation"
        group = await setup.instance.do("CreateConversation", {})
        with pytest.raises(ApiError) as caught:
            await setup.add(group.sid, Address=SECOND_OWN)
        assert caught.value.code == 50407

    run_scenario(scenario)


@pytest.mark.channel("C29")
@pytest.mark.parametrize(
    ("several_media", "body", "count"), [("first", None, 1), ("all", "Look", 2)]
)
def test_several_media_are_sent_by_the_setting_of_their_sender(
    run_scenario: ScenarioRunner, several_media: Any, body: str | None, count: int
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.use_numbers(
            CarrierNumber(OWN, ACCOUNT_SID, several_media=several_media),
            CarrierNumber(SECOND_OWN, ACCOUNT_SID),
        )
        conversation = await setup.converse(phone="+12135550101")
        await setup.add(conversation.sid, Address="+12135550102", ProxyAddress=SECOND_OWN)
        media = tuple(
            InboundMedium(kind, None, b"bytes") for kind in ("image/png", "text/html", "image/jpeg")
        )
        sender = {"sender": "+12135550102", "receiver": SECOND_OWN}
        await setup.receive(text_message("Look", media=media, **sender))
        await setup.instance.wait_until_idle()
        (received,) = await setup.instance.store.read(lambda tx: tx.all(RECEIVED, "+12135550101"))
        assert received[0] == body
        kinds = [each["content_type"] for each in json.loads(received[1])]
        assert kinds == ["image/png", "image/jpeg"][:count]

    run_scenario(scenario)
