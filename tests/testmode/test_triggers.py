"""`POST /Triggers`: each post-action event by its real change, with what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.operations.call import Call
from parlour.operations.caller import Caller
from parlour.store import event_log
from parlour.testmode.triggers.declarations import TRIGGERS
from parlour.vocabulary import event_names
from parlour.vocabulary.errors import ApiError
from tests.events.in_process_server import ACCOUNT_SID, poll_until, scenario_runner
from tests.events.webhook_backend import respond_with

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.operations.call import OperationResult
    from parlour.testmode.triggers.representation import TriggerResult
    from parlour.vocabulary.event import Event
    from tests.events.in_process_server import InProcessServer, ScenarioRunner
    from tests.events.webhook_backend import WebhookBackend

PHONE = "+15005550123"
OTHER_SERVICE = "IS" + "0" * 32


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Run a scenario on a server in test mode."""
    return scenario_runner(tmp_path, test=True)


async def trigger(instance: InProcessServer, event: str, **form: str) -> TriggerResult:
    """Trigger an event that comes at once; return the result."""
    outcome = await request(instance, event, **form)
    assert outcome.status == 201
    result: TriggerResult = outcome.result
    return result


async def request(instance: InProcessServer, event: str, **form: str) -> OperationResult:
    """Trigger an event."""
    fields = {name: [text] for name, text in form.items()}
    operation = next(
        each for each in instance.app._operations if each.operation_id == "CreateTrigger"
    )
    call: Call[Any] = Call(
        operation=operation,
        caller=Caller(ACCOUNT_SID, ACCOUNT_SID),
        path={},
        resource="/Triggers",
        form={"EventType": [event]} | fields,
    )
    return await instance.app.pipeline.run(call, lambda _call, _outcome: b"")


async def event_at(instance: InProcessServer, sequence: int | None) -> Event:
    assert sequence is not None
    [event] = await instance.store.read(lambda tx: event_log.read_after(tx, sequence - 1, 1))
    return event


def refused(error: pytest.ExceptionInfo[ApiError]) -> tuple[int, str]:
    return error.value.code, error.value.message


def test_there_is_one_trigger_for_each_post_action_event() -> None:
    assert tuple(each.event_type for each in TRIGGERS) == event_names.POST_ACTION


def test_each_trigger_without_parameters_causes_its_event_and_only_its_webhook(
    run_scenario: ScenarioRunner,
) -> None:
    async def each_event(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend, PreWebhookUrl="")
        for name in event_names.POST_ACTION:
            result = await trigger(instance, name)
            event = await event_at(instance, result.sequence)
            assert (event.name, event.fires) == (name, True)
            assert event.subject_sid in result.sids.values()
            assert result.sids["chat_service_sid"] == instance.scope.service_sid
            await instance.wait_until_idle()
            sent = set(backend.events_sent_to("/post"))
            # A new state is a change of the conversation as well.
            alike = {event_names.ON_CONVERSATION_STATE_UPDATED: {"onConversationUpdated"}}
            assert sent == {name} | alike.get(name, set()), name
            backend.requests.clear()

    run_scenario(each_event)


def test_the_webhook_and_the_result_name_the_same_objects(run_scenario: ScenarioRunner) -> None:
    async def add_a_message(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend, PreWebhookUrl="")
        result = await trigger(
            instance, "onMessageAdded", Identity="alice", Body="Hi", Attributes='{"n":1}'
        )
        await instance.wait_until_idle()
        [request] = backend.requests_to("/post")
        assert request.values["MessageSid"] == result.sids["message_sid"]
        assert request.values["ConversationSid"] == result.sids["conversation_sid"]
        assert request.values["ParticipantSid"] == result.sids["participant_sid"]
        sent = {name: request.values[name] for name in ("Author", "Body", "Attributes")}
        assert sent == {"Author": "alice", "Body": "Hi", "Attributes": '{"n":1}'}
        message = await instance.do(
            "FetchConversationMessage",
            ConversationSid=result.sids["conversation_sid"],
            Sid=result.sids["message_sid"],
        )
        assert (message.author, message.body) == ("alice", "Hi")
        assert result.created == ("conversation", "participant")

    run_scenario(add_a_message)


def test_named_objects_are_used_and_nothing_is_created(run_scenario: ScenarioRunner) -> None:
    async def use_them(instance: InProcessServer, _backend: WebhookBackend) -> None:
        conversation = (await instance.do("CreateConversation", {"UniqueName": "order"})).sid
        participant = (
            await instance.do(
                "CreateConversationParticipant",
                {"Identity": "alice", "Attributes": '{"is":"here"}'},
                ConversationSid=conversation,
            )
        ).sid
        message = (await instance.send_message(conversation, "Hello")).sid
        for name, form, kind, sid in (
            ("onConversationUpdated", {"FriendlyName": "New"}, "conversation", conversation),
            ("onParticipantUpdated", {"Identity": "alice"}, "participant", participant),
            ("onParticipantUpdated", {"ParticipantSid": participant}, "participant", participant),
            ("onUserUpdated", {"Identity": "alice", "FriendlyName": "Alice"}, "user", None),
            ("onMessageUpdated", {"MessageSid": message, "Body": "New"}, "message", message),
            ("onMessageRemoved", {"MessageSid": message}, "message", message),
            ("onParticipantRemoved", {"Identity": "alice"}, "participant", participant),
        ):
            place = {} if kind == "user" else {"ConversationSid": "order"}
            result = await trigger(instance, name, **form, **place)
            assert result.created == (), name
            assert sid in {None, result.sids[f"{kind}_sid"]}
            if name == "onParticipantUpdated":  # Without parameters the values stay.
                event = await event_at(instance, result.sequence)
                assert '{\\"is\\":\\"here\\"}' in event.payload

    run_scenario(use_them)


def test_a_message_of_a_phone_goes_to_the_conversation_of_its_number(
    run_scenario: ScenarioRunner,
) -> None:
    async def write_twice(instance: InProcessServer, _backend: WebhookBackend) -> None:
        first = await trigger(instance, "onParticipantAdded", Address=PHONE)
        second = await trigger(instance, "onMessageAdded", Address=PHONE, Body="Hello")
        assert second.sids["conversation_sid"] == first.sids["conversation_sid"]
        assert second.sids["participant_sid"] == first.sids["participant_sid"]
        assert second.created == ()
        report = await trigger(instance, "onDeliveryUpdated", Address=PHONE, Identity="agent")
        assert report.sids["participant_sid"] == first.sids["participant_sid"]
        assert report.sids["delivery_receipt_sid"].startswith("DY")
        whatsapp = await trigger(instance, "onDeliveryUpdated", Address=f"whatsapp:{PHONE}")
        assert whatsapp.created == ("conversation", "participant")
        with pytest.raises(ApiError) as error:
            await trigger(instance, "onParticipantAdded", Address=PHONE)
        assert refused(error)[0] == 50416

    run_scenario(write_twice)


@pytest.mark.promise("TRIGGER_WAIT_SECONDS_MAX", 202)
def test_a_report_that_does_not_come_is_pending(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parlour.vocabulary.limits.TRIGGER_WAIT_SECONDS_MAX", 0)
    # No message is sent to a carrier.
    monkeypatch.setattr("parlour.channels.wiring.Channels.wake", lambda _channels: None)

    async def wait(instance: InProcessServer, _backend: WebhookBackend) -> None:
        outcome = await request(instance, "onDeliveryUpdated")
        assert (outcome.status, outcome.result.sequence) == (202, None)
        assert {"chat_service_sid", "message_sid"} <= outcome.result.sids.keys()
        assert "delivery_receipt_sid" not in outcome.result.sids

    run_scenario(wait)


def test_a_pre_action_webhook_may_reject_it(run_scenario: ScenarioRunner) -> None:
    async def reject(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend)
        backend.responders["/pre"] = respond_with(403)
        with pytest.raises(ApiError):
            await trigger(instance, "onMessageAdded")
        assert backend.events_sent_to("/pre") == ["onMessageAdd"]
        await poll_until(instance._is_settled)
        assert backend.events_sent_to("/post") == []

    run_scenario(reject)


@pytest.mark.parametrize(
    ("event", "form", "message"),
    [
        (
            "onMesageAdded",
            {},
            "There is no trigger of EventType onMesageAdded; did you mean onMessageAdded?",
        ),
        (
            "onMessageAdd",
            {},
            "There is no trigger of EventType onMessageAdd; did you mean onMessageAdded?",
        ),
        ("tea", {}, "There is no trigger of EventType tea."),
        (
            "onMessageAdded",
            {"Boddy": "Hi"},
            "Unknown parameter Boddy of onMessageAdded; did you mean Body?",
        ),
        (
            "onUserAdded",
            {"ConversationSid": "CH"},
            "Unknown parameter ConversationSid of onUserAdded.",
        ),
        (
            "onConversationStateUpdated",
            {"State": "active"},
            "The conversation is active already: State must be another one.",
        ),
    ],
)
def test_a_wrong_request_is_refused_with_the_nearest_name(
    run_scenario: ScenarioRunner, event: str, form: dict[str, str], message: str
) -> None:
    async def refuse(instance: InProcessServer, _backend: WebhookBackend) -> None:
        before = await instance.store.read(event_log.visible_through)
        with pytest.raises(ApiError) as error:
            await trigger(instance, event, **form)
        assert refused(error) == (20001, message)
        if "State" not in form:
            assert await instance.store.read(event_log.visible_through) == before

    run_scenario(refuse)


def test_errors_of_the_operation_are_those_of_the_trigger(run_scenario: ScenarioRunner) -> None:
    async def fail(instance: InProcessServer, _backend: WebhookBackend) -> None:
        await trigger(instance, "onUserAdded", Identity="alice")
        for event, form, code in (
            ("onUserAdded", {"Identity": "alice"}, 50201),
            ("onMessageAdded", {"ConversationSid": "CH" + "0" * 32}, 20404),
            ("onMessageAdded", {"ChatServiceSid": OTHER_SERVICE}, 20404),
            ("onMessageAdded", {"Attributes": "no JSON"}, 50304),
        ):
            with pytest.raises(ApiError) as error:
                await trigger(instance, event, **form)
            assert refused(error)[0] == code, form

    run_scenario(fail)


def test_a_trigger_in_another_service(run_scenario: ScenarioRunner) -> None:
    async def elsewhere(instance: InProcessServer, _backend: WebhookBackend) -> None:
        service = (await instance.do("CreateService", {"FriendlyName": "Second"})).sid
        for name in event_names.POST_ACTION:
            result = await trigger(instance, name, ChatServiceSid=service)
            event = await event_at(instance, result.sequence)
            assert event.service_sid == result.sids["chat_service_sid"] == service
            assert "Service" in result.operation_id

    run_scenario(elsewhere)
