"""Pre-action webhooks: which are called, when, how often, and outside any transaction."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from parlour.egress.client import OutboundRequest
from parlour.protocol import signatures
from parlour.resources.conversations import store as conversation_store
from parlour.vocabulary import limits
from tests.events.event_log_setup import poll_until
from tests.events.in_process_server import AUTH_TOKEN, WITH_HEADER, InProcessServer
from tests.events.pre_action_setup import PreActionSetup, ScenarioRunner, refusal, scenario_runner
from tests.events.webhook_backend import OK, WebhookBackend, WebhookRequest, hang, respond_with
from tests.support.machine_pressure import Stopwatch

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene in a separate conversation."""
    return scenario_runner(tmp_path / "data")


# --- Who is asked, and when -----------------------------------------------------------------


def test_an_invalid_request_calls_no_pre_action_webhook(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        assert (await refusal(setup.send_message(Author="x" * 257)))[1] == 50310
        assert (await refusal(setup.instance.send_message("CH" + "0" * 32, "x", WITH_HEADER)))[
            1
        ] == 20404
        await setup.instance.do("UpdateConversation", {"State": "closed"}, Sid=setup.sid)
        assert (await refusal(setup.send_message()))[1] == 50377
        assert setup.pre_action_events == []

    run_scenario(scenario)


@pytest.mark.parametrize(
    "changes",
    [
        {"Filters": "onMessageAdded"},
        {"Filters": ""},
        {"PreWebhookUrl": ""},
        {"Target": "flex"},
    ],
    ids=["not in the filters", "no filters", "no URL", "flex"],
)
def test_an_unsubscribed_pre_action_webhook_is_not_called(
    run_scenario: ScenarioRunner, changes: dict[str, str]
) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        await setup.listen()
        instance = setup.instance
        await instance.do("UpdateConfigurationWebhook", changes)  # type: ignore[arg-type]
        assert (await setup.send_message()).body == "said"
        assert setup.pre_action_events == []

    run_scenario(scenario)


def test_without_the_header_no_pre_action_webhook_is_called(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(respond_with(403))
        assert (await setup.instance.send_message(setup.sid, "said")).body == "said"
        assert setup.backend.requests == []

    run_scenario(scenario)


def test_a_missing_service_calls_no_pre_action_webhook(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        elsewhere = {"ChatServiceSid": "IS" + "0" * 32}
        doing = setup.instance.do("CreateServiceConversation", origin=WITH_HEADER, **elsewhere)
        assert (await refusal(doing))[0] == 404
        assert setup.pre_action_events == []

    run_scenario(scenario)


def test_creating_a_user_calls_no_pre_action_webhook(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(respond_with(403))
        await setup.instance.do("CreateUser", {"Identity": "new"}, origin=WITH_HEADER)
        await setup.instance.wait_until_idle()
        assert [hook.event for hook in setup.backend.requests] == ["onUserAdded"]

    run_scenario(scenario)


def test_a_conversation_closed_during_the_pre_action_webhook_is_closed(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        async def close(hook: WebhookRequest, writer: asyncio.StreamWriter) -> None:
            await setup.instance.do("UpdateConversation", {"State": "closed"}, Sid=setup.sid)
            writer.write(OK)

        setup.answers(close)
        assert (await refusal(setup.send_message()))[1] == 50377

    run_scenario(scenario)


def test_an_index_is_assigned_when_the_message_is_stored(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        async def overtake(hook: WebhookRequest, writer: asyncio.StreamWriter) -> None:
            await setup.instance.send_message(setup.sid, "quicker")
            writer.write(OK)

        setup.answers(overtake)
        assert (await setup.send_message()).message_index == 1

    run_scenario(scenario)


def test_the_request_is_signed_in_both_methods(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        await setup.listen(setup.backend.url("/pre?tenant=7"))
        await setup.send_message("Grüße & 50% off")
        await setup.listen(setup.backend.url("/pre?tenant=7"), Method="GET")
        await setup.send_message("Grüße & 50% off")
        posted, got = setup.backend.requests_to("/pre")
        url = f"http://127.0.0.1:{setup.backend.port}"
        for hook, pairs in ((posted, posted.pairs), (got, [])):
            header = hook.headers["x-twilio-signature"]
            assert signatures.is_signed(AUTH_TOKEN, url + hook.target, header, pairs)
            assert hook.values["Body"] == "Grüße & 50% off"
            assert hook.headers["i-twilio-idempotency-token"].count("-") == 4
        assert got.target.startswith("/pre?tenant=7&AccountSid=AC")
        assert (got.body, "content-length" in got.headers) == (b"", False)

    run_scenario(scenario)


# --- Sent again with the same key -----------------------------------------------------------


def test_a_repeated_request_is_answered_without_a_pre_action_webhook(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        async def send_message(body: str) -> Any:
            return await setup.instance.run(
                "CreateConversationMessage",
                {"Body": body},
                origin=WITH_HEADER,
                idempotency_key="k",
                ConversationSid=setup.sid,
            )

        setup.answers(respond_with(200, '{"body":"amended"}'))
        first = await send_message("said")
        setup.answers(respond_with(403))
        again = await send_message("said")
        assert (first.result.body, first.replayed) == ("amended", None)
        assert again.replayed is not None
        assert first.result.sid in again.replayed.decode()
        assert (await refusal(send_message("other")))[0] == 422
        assert setup.pre_action_events == ["onMessageAdd"]
        assert len((await setup.rows())["messages"]) == 1

    run_scenario(scenario)


def test_a_key_is_reserved_during_its_pre_action_webhook(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        async def send_message() -> Any:
            return await setup.instance.run(
                "CreateConversationMessage",
                {"Body": "said"},
                origin=WITH_HEADER,
                idempotency_key="k",
                ConversationSid=setup.sid,
            )

        refused: list[tuple[int, int]] = []

        async def think(hook: WebhookRequest, writer: asyncio.StreamWriter) -> None:
            refused.append(await refusal(send_message()))
            writer.write(OK)

        setup.answers(think)
        await send_message()
        assert refused == [(409, 20409)]

    run_scenario(scenario)


# --- No transaction waits -------------------------------------------------------------------


@pytest.mark.embedded
def test_while_the_backend_thinks_no_transaction_is_open(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        during: dict[str, Any] = {}

        async def look(hook: WebhookRequest, writer: asyncio.StreamWriter) -> None:
            during["open"] = setup.instance.store._writer.in_transaction
            during["rows"] = await setup.rows()
            during["other"] = await setup.instance.send_message(setup.sid, "not held up")
            writer.write(OK)

        setup.answers(look)
        before = await setup.rows()
        message = await setup.send_message()
        assert during["open"] is False
        assert during["rows"] == before
        assert (during["other"].message_index, message.message_index) == (0, 1)

    run_scenario(scenario)


def test_the_engine_refuses_a_network_inside_an_action(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        egress = setup.instance.app.egress
        url = signatures.prepare_url(setup.backend.url("/pre"))
        request = OutboundRequest("POST", url, {}, b"")

        async def within(tx: Transaction) -> None:
            await egress.send(request)

        async def started(tx: Transaction) -> asyncio.Task[Any]:
            return asyncio.get_running_loop().create_task(egress.send(request))

        with pytest.raises(AssertionError, match="inside a transaction"):
            await setup.instance.store.write(within)
        with pytest.raises(AssertionError, match="inside a transaction"):
            await (await setup.instance.store.write(started))
        with pytest.raises(AssertionError, match="inside a transaction"):
            await setup.instance.store.read(within)
        assert (await egress.send(request)).status == 200
        assert len(setup.backend.requests) == 1

    run_scenario(scenario)


# --- A conversation with participants -------------------------------------------------------

TWO = ['{"identity":"ann"}', '{"identity":"ben"}']


async def state_of(setup: PreActionSetup, sid: str, *, is_done: bool = True) -> Any:
    """Return the conversation once its completion has ended."""
    async with asyncio.timeout(10):
        while True:  # Ends with the timeout.
            found = await setup.instance.store.read(
                lambda tx: conversation_store.find_conversation(tx, setup.instance.scope, sid)
            )
            assert found is not None
            if not is_done or found.pending_participants is None:
                return found
            await asyncio.sleep(0.01)


def test_pre_action_webhooks_of_all_participants_precede_their_creation(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        form: Any = {"Participant": TWO}
        created = await setup.instance.do(
            "CreateConversationWithParticipants", form, origin=WITH_HEADER
        )
        made = await state_of(setup, created.sid)
        assert made.state == "active"
        await setup.instance.wait_until_idle()
        names = [hook.event for hook in setup.backend.requests]
        assert names[0] == "onConversationAdd"
        pre_action_events = setup.backend.requests_to("/pre", "onParticipantAdd")
        assert sorted(hook.values["Identity"] for hook in pre_action_events) == ["ann", "ben"]
        assert "ParticipantSid" not in pre_action_events[0].values
        last_asked = max(place for place, name in enumerate(names) if name == "onParticipantAdd")
        assert last_asked < names.index("onParticipantAdded")

    run_scenario(scenario)


def test_one_rejected_participant_ends_the_completion(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        async def not_ben(hook: WebhookRequest, writer: asyncio.StreamWriter) -> None:
            status = 403 if hook.values.get("Identity") == "ben" else 200
            await respond_with(status, '{"identity":"x"}')(hook, writer)

        setup.answers(not_ben)
        form: Any = {"Participant": TWO}
        created = await setup.instance.do(
            "CreateConversationWithParticipants", form, origin=WITH_HEADER
        )
        assert (await state_of(setup, created.sid)).state == "closed"
        await setup.instance.wait_until_idle()
        assert setup.backend.requests_to("/post", "onParticipantAdded") == []
        outcomes = {(row[0], row[1]) for row in await setup.log()}
        assert ("onParticipantAdd", "rejected") in outcomes

    run_scenario(scenario)


def test_a_rejected_conversation_is_not_created(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(respond_with(403))
        form: Any = {"Participant": TWO, "UniqueName": "u"}
        doing = setup.instance.do("CreateConversationWithParticipants", form, origin=WITH_HEADER)
        assert await refusal(doing) == (403, 50056)
        assert setup.pre_action_events == ["onConversationAdd"]
        assert (await refusal(setup.instance.do("FetchConversation", Sid="u")))[0] == 404

    run_scenario(scenario)


def test_a_hanging_backend_blocks_no_other_conversation(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        async def only_participants(hook: WebhookRequest, writer: asyncio.StreamWriter) -> None:
            await (hang if hook.event == "onParticipantAdd" else respond_with(200))(hook, writer)

        setup.answers(only_participants)
        form: Any = {"Participant": TWO}
        create = "CreateConversationWithParticipants"
        hanging = await setup.instance.do(create, form, origin=WITH_HEADER)
        await poll_until(lambda: "onParticipantAdd" in setup.pre_action_events)
        watch = Stopwatch()
        quick = await setup.instance.do(create, form)
        assert (await state_of(setup, quick.sid)).state == "active"
        assert watch.seconds_at_least < 3
        assert (await state_of(setup, hanging.sid, is_done=False)).state == "initializing"
        assert setup.pre_action_events.count("onParticipantAdd") == 2

    run_scenario(scenario)


def test_calls_to_a_hanging_backend_hold_the_slots_of_one_host_only(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        goes_on = asyncio.Event()

        async def answer_late(_notified: WebhookRequest, writer: asyncio.StreamWriter) -> None:
            await goes_on.wait()
            writer.write(OK)

        setup.answers(answer_late)
        per_host = limits.OUTBOUND_REQUESTS_PER_TARGET_MAX
        waiting = setup.instance.app.egress._awaited_slots._waiting
        async with WebhookBackend() as other, asyncio.TaskGroup() as tasks:
            held = [tasks.create_task(setup.send_message("late")) for _ in range(3 * per_host)]
            await poll_until(
                lambda: len(setup.pre_action_events) + sum(map(len, waiting.values())) == len(held)
            )
            assert len(setup.pre_action_events) == per_host
            # Another host of the same account is called at once.
            await setup.listen(other.url("/pre"))
            await setup.send_message("at once")
            assert other.events_sent_to("/pre") == ["onMessageAdd"]
            assert not any(each.done() for each in held)
            assert len(setup.pre_action_events) == per_host
            goes_on.set()
        assert sorted(each.result().message_index for each in held) == list(range(1, 1 + len(held)))

    run_scenario(scenario)


def test_a_stop_while_the_backend_thinks_loses_no_conversation(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with WebhookBackend() as backend:
            async with InProcessServer(tmp_path / "data") as instance:
                setup = PreActionSetup(instance, backend)
                await setup.listen(Filters=["onParticipantAdd"])
                setup.answers(hang)
                form: Any = {"Participant": TWO}
                create = "CreateConversationWithParticipants"
                created = await instance.do(create, form, origin=WITH_HEADER)
                await poll_until(lambda: len(setup.pre_action_events) == 2)
            del backend.responders["/pre"]
            async with InProcessServer(tmp_path / "data") as instance:
                again = PreActionSetup(instance, backend)
                assert (await state_of(again, created.sid)).state == "active"

    asyncio.run(scenario())


def test_a_pre_action_attempt_is_stored(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(respond_with(403, "no"))
        await refusal(setup.send_message())
        await setup.log()
        sql = "SELECT url, state, parameters, scope FROM webhook_delivery LIMIT 10"
        ((url, state, parameters, scope),) = await setup.instance.store.read(lambda tx: tx.all(sql))
        assert (url, state, scope) == (setup.backend.url("/pre"), "asked", "account")
        assert msgspec.json.decode(parameters)["Body"] == "said"
        ((*_, text),) = await setup.log()
        assert text == "no"

    run_scenario(scenario)
