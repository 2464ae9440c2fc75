"""Auto-creation: conversations that the first message of an unknown sender creates."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from parlour.channels.carrier import InboundMedium
from parlour.resources.carrier_numbers.store import AutoCreationSettings, CarrierNumber
from parlour.vocabulary.event_names import INTERNAL
from tests.events.in_process_server import ACCOUNT_SID
from tests.events.inbound_setup import (
    OWN,
    PHONE,
    SECOND_OWN,
    SECOND_PHONE,
    SERVICE,
    InboundSetup,
    ScenarioRunner,
    scenario_runner,
    text_message,
)
from tests.events.webhook_backend import hang_up, respond_with

if TYPE_CHECKING:
    from pathlib import Path

THIRD_PHONE = "+15558675312"
FLOW = "FW" + "0" * 31 + "1"


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scenario on a separate server."""
    return scenario_runner(tmp_path)


async def public_events(setup: InboundSetup) -> list[str]:
    """Return the names of the events of channels that webhooks may get, in order."""
    return [each.name for each in await setup.events() if each.name not in INTERNAL]


# --- 1:1 ----------------------------------------------------------------------------------


@pytest.mark.channel("5.1", "C22", "C23")
def test_type_default_creates_conversation_participant_and_message_in_this_order(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure()
        await setup.listen()
        result = await setup.receive(text_message("Hello"))
        assert (result.outcome, result.reason) == ("auto_created", None)

        assert await public_events(setup) == [
            "onConversationAdded",
            "onParticipantAdded",
            "onMessageAdded",
        ]
        conversation = await setup.fetch(result.conversation_sid)
        assert (conversation.friendly_name, conversation.unique_name) == (None, None)
        assert (conversation.created_by, conversation.state) == ("system", "active")
        assert conversation.messaging_service_sid == SERVICE
        (participant,) = await setup.participants(conversation.sid)
        assert (participant.address, participant.proxy_address) == (PHONE, OWN)
        (message,) = await setup.messages(conversation.sid)
        assert (message.author, message.message_index, message.body) == (PHONE, 0, "Hello")
        assert message.participant_sid == participant.sid == result.participant_sid

        assert setup.backend.events_sent_to("/pre") == ["onConversationAdd"]
        added, joined, posted = await setup.post_requests()
        assert {each["Source"] for each in (added, joined, posted)} == {"SMS"}
        assert added["MessagingBinding.Address"] == PHONE
        assert added["MessagingBinding.ProxyAddress"] == OWN
        assert "MessageBody" not in added
        assert joined["MessagingBinding.Type"] == "sms"
        assert posted["Body"] == "Hello"

    run_scenario(scenario)


def test_the_pre_action_webhook_gets_the_message_and_may_set_the_friendly_name_only(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure()
        await setup.listen()
        answer = {"friendly_name": "Named", "attributes": '{"ignored": 1}', "body": "ignored"}
        setup.backend.responders["/pre"] = respond_with(200, json.dumps(answer))
        result = await setup.receive(
            text_message("Hello", media=(InboundMedium("image/png", "a.png", b"12345"),))
        )
        (asked,) = [each.values for each in setup.backend.requests if each.path == "/pre"]
        conversation = await setup.fetch(result.conversation_sid)
        (medium,) = json.loads(asked.pop("Media"))
        assert (medium["ContentType"], medium["Size"]) == ("image/png", 5)
        assert asked == {
            "AccountSid": ACCOUNT_SID,
            "Attributes": "{}",
            "ChatServiceSid": conversation.service_sid,
            "EventType": "onConversationAdd",
            "MessageBody": "Hello",
            "MessagingBinding.Address": PHONE,
            "MessagingBinding.ProxyAddress": OWN,
            "MessagingServiceSid": SERVICE,
            "RetryCount": "0",
            "Source": "SMS",
            "State": "active",
        }
        assert (conversation.friendly_name, conversation.attributes) == ("Named", "{}")
        (message,) = await setup.messages(conversation.sid)
        assert message.body == "Hello"

    run_scenario(scenario)


@pytest.mark.channel("5.2")
@pytest.mark.parametrize("status", [403, 500])
def test_a_veto_creates_nothing_and_loses_the_message(
    run_scenario: ScenarioRunner, status: int
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure()
        await setup.listen()
        setup.backend.responders["/pre"] = respond_with(status)
        result = await setup.receive(text_message())
        assert result.outcome == "dropped"
        assert result.reason is not None
        assert "onConversationAdd" in result.reason
        assert await setup.conversations() == []
        assert await public_events(setup) == []
        setup.backend.responders["/pre"] = hang_up
        assert (await setup.receive(text_message())).outcome == "auto_created"

    run_scenario(scenario)


@pytest.mark.channel("5.1")
def test_type_webhook_attaches_a_scoped_webhook_that_sees_the_first_message(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        filters = ["onParticipantAdded", "onMessageAdded"]
        await setup.configure(
            Type="webhook",
            WebhookUrl=setup.backend.url("/scoped"),
            WebhookMethod="get",
            WebhookFilters=filters,
        )
        result = await setup.receive(text_message("first"))
        await setup.receive(text_message("second"))
        await setup.instance.wait_until_idle()
        (webhook,) = await scoped_webhooks(setup, result.conversation_sid)
        assert (webhook.target, webhook.method) == ("webhook", "GET")
        assert json.loads(webhook.filters) == filters
        seen = [
            (each.event, each.values.get("Body"))
            for each in setup.backend.requests
            if each.path == "/scoped"
        ]
        assert seen == [
            ("onParticipantAdded", None),
            ("onMessageAdded", "first"),
            ("onMessageAdded", "second"),
        ]

    run_scenario(scenario)


@pytest.mark.channel("5.1")
def test_type_studio_attaches_the_flow_with_its_retry_count(tmp_path: Path) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure(Type="studio", StudioFlowSid=FLOW, StudioRetryCount="2")
        result = await setup.receive(text_message("start"))
        (webhook,) = await scoped_webhooks(setup, result.conversation_sid)
        assert (webhook.target, webhook.flow_sid, webhook.retry_count) == ("studio", FLOW, 2)

    scenario_runner(tmp_path)(scenario)


async def scoped_webhooks(setup: InboundSetup, conversation_sid: str | None) -> list[Any]:
    """Return the scoped webhooks of a conversation."""
    from parlour.resources.scoped_webhooks import store as scoped_webhook_store  # noqa: PLC0415

    assert conversation_sid is not None
    sid, scope = conversation_sid, setup.instance.scope
    return await setup.instance.store.read(
        lambda tx: scoped_webhook_store.list_all_scoped_webhooks(tx, scope, sid)
    )


def test_a_configuration_that_is_off_creates_nothing_and_is_the_reason(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure(Enabled="false")
        result = await setup.receive(text_message())
        assert result.outcome == "dropped"
        assert result.reason == (
            f"no open conversation has {PHONE} with {OWN},"
            f" and the address configuration of {OWN} has auto-creation off"
        )
        assert await setup.conversations() == []

    run_scenario(scenario)


def test_an_open_conversation_captures_the_message_before_auto_creation(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure()
        conversation = await setup.converse()
        result = await setup.receive(text_message())
        assert (result.outcome, result.conversation_sid) == ("conversation", conversation.sid)
        await setup.instance.do("UpdateConversation", {"State": "closed"}, Sid=conversation.sid)
        created = await setup.receive(text_message())
        assert created.outcome == "auto_created"
        assert created.conversation_sid != conversation.sid

    run_scenario(scenario)


def test_the_conversation_belongs_to_the_service_of_the_rules(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        service = await setup.instance.do("CreateService", {"FriendlyName": "other"})
        await setup.configure(ConversationServiceSid=service.sid)
        result = await setup.receive(text_message())
        found = await setup.instance.do(
            "FetchServiceConversation", ChatServiceSid=service.sid, Sid=result.conversation_sid
        )
        assert found.service_sid == service.sid

    run_scenario(scenario)


@pytest.mark.channel("5.3", "C24")
def test_two_parallel_first_messages_create_one_conversation(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure()
        await setup.listen()
        results = await asyncio.gather(
            *(setup.receive(text_message(str(number))) for number in range(6))
        )
        assert len({each.conversation_sid for each in results}) == 1
        assert sorted(each.outcome for each in results) == ["auto_created"] + ["conversation"] * 5
        assert len(await setup.messages(results[0].conversation_sid)) == 6

    run_scenario(scenario)


def test_service_wide_auto_creation_of_a_number_attaches_no_webhook(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        other = "MG" + "7" * 32
        await setup.use_numbers(
            CarrierNumber(
                OWN,
                ACCOUNT_SID,
                messaging_service_sid=other,
                auto_creation=AutoCreationSettings(),
            )
        )
        result = await setup.receive(text_message())
        assert result.outcome == "auto_created"
        assert await scoped_webhooks(setup, result.conversation_sid) == []
        assert (await setup.fetch(result.conversation_sid)).messaging_service_sid == other

    run_scenario(scenario)


# --- Groups -------------------------------------------------------------------------------


def group_message(body: str | None = "to all", **changes: Any) -> Any:
    """Return a message of the first phone to an own number and two other phones."""
    return text_message(body, **{"group": (SECOND_PHONE, THIRD_PHONE), **changes})


PHONES = ("+15558675310", "+15558675311", "+15558675312")


@pytest.mark.channel("C2")
def test_a_group_is_initializing_until_all_numbers_are_in(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure()
        await setup.listen()
        result = await setup.receive(group_message())
        assert (result.outcome, result.reason) == ("auto_created", None)
        assert await public_events(setup) == [
            "onConversationAdded",
            *["onParticipantAdded"] * 4,
            "onMessageAdded",
            "onConversationStateUpdated",
        ]
        participants = await setup.participants(result.conversation_sid)
        assert {each.address for each in participants if each.address} == set(PHONES)
        (own,) = [each for each in participants if not each.address]
        assert (own.projected_address, own.identity, own.role_sid) == (OWN, None, None)
        assert (await setup.fetch(result.conversation_sid)).state == "active"
        (message,) = await setup.messages(result.conversation_sid)
        assert message.author == PHONE

        requests = await setup.post_requests()
        added, changed = requests[0], requests[-1]
        assert added["State"] == "initializing"
        assert added["MessagingBinding.AuthorAddress"] == PHONE
        assert added["MessagingBinding.Address"] == f"{OWN},{SECOND_PHONE},{THIRD_PHONE}"
        assert "MessagingBinding.ProxyAddress" not in added
        assert (changed["StateFrom"], changed["StateTo"]) == ("initializing", "active")
        assert changed["Reason"] == "EVENT"

    run_scenario(scenario)


@pytest.mark.channel("C13")
def test_later_group_messages_of_any_member_find_the_group(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure()
        first = await setup.receive(group_message())
        second = await setup.receive(
            group_message("answer", sender=THIRD_PHONE, group=(PHONE, SECOND_PHONE))
        )
        assert (second.outcome, second.conversation_sid) == ("conversation", first.conversation_sid)
        smaller = await setup.receive(group_message(group=(SECOND_PHONE,)))
        assert smaller.outcome == "auto_created"
        assert smaller.conversation_sid != first.conversation_sid

    run_scenario(scenario)


def test_a_message_of_a_member_is_not_sent_to_the_other_members(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure()
        result = await setup.receive(group_message())
        (message,) = await setup.messages(result.conversation_sid)
        assert message.receipts_total == 0

    run_scenario(scenario)


def test_a_1_to_1_message_of_a_member_does_not_reach_a_group_of_three(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure()
        first = await setup.receive(group_message())
        alone = await setup.receive(text_message("to you alone"))
        assert alone.outcome == "auto_created"
        assert alone.conversation_sid != first.conversation_sid

    run_scenario(scenario)


def test_a_group_of_one_member_and_one_own_number_takes_their_1_to_1_messages(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.instance.do("CreateConversation", {})
        await setup.add(conversation.sid, ProjectedAddress=OWN)
        await setup.add(conversation.sid, Address=PHONE)
        result = await setup.receive(text_message())
        assert (result.outcome, result.conversation_sid) == ("conversation", conversation.sid)

    run_scenario(scenario)


@pytest.mark.channel("C11", "C21", "11.3")
def test_copies_at_several_own_numbers_are_one_message(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure(SECOND_OWN)
        phones = (SECOND_PHONE,)
        to_first = text_message("ok", group=(*phones, SECOND_OWN))
        to_second = text_message("ok", receiver=SECOND_OWN, group=(*phones, OWN))
        # The second own number has the configuration; the first is used by another conversation.
        await setup.converse(phone="+15558675399")
        results = await asyncio.gather(setup.receive(to_first), setup.receive(to_second))
        assert len({each.message_sid for each in results}) == 1
        assert {each.outcome for each in results} == {"auto_created"}
        members = await setup.participants(results[0].conversation_sid)
        projected = {each.projected_address for each in members if each.projected_address}
        assert projected == {OWN, SECOND_OWN}

        # The same text again is another message, and has its own copies.
        for _ in range(2):
            again = [
                await setup.receive(text_message("ok", group=(*phones, SECOND_OWN))),
                await setup.receive(text_message("ok", receiver=SECOND_OWN, group=(*phones, OWN))),
            ]
            assert len({each.message_sid for each in again}) == 1
        assert len(await setup.messages(results[0].conversation_sid)) == 3

    run_scenario(scenario)


def test_a_group_outside_north_america_is_dropped_with_the_error(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure()
        result = await setup.receive(group_message(group=(SECOND_PHONE, "+491701234567")))
        assert result.outcome == "dropped"
        assert result.reason is not None
        assert result.reason.startswith("50407")
        assert await setup.conversations() == []

    run_scenario(scenario)
