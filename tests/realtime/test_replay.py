"""Edge cases of replay: a short log, too many missed events, and concurrent changes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from parlour.realtime import subscriptions
from parlour.realtime.outbox import ConnectionClosed
from parlour.realtime.read_scheduler import ReadScheduler
from parlour.resources.participants import store as participant_store
from parlour.store import event_log
from parlour.vocabulary import limits
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName
from tests.events.in_process_server import InProcessServer, poll_until
from tests.realtime.client_listener import ClientListener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from parlour.store.transaction import Transaction


class ReplayScenario:
    """A conversation of alice, and a listener of hers."""

    def __init__(self, instance: InProcessServer) -> None:
        self.instance = instance
        self.sid = ""

    async def set(self) -> ClientListener:
        """Create the conversation; the listener is connected and has no subscription."""
        self.sid = (await self.instance.do("CreateConversation")).sid
        await self.instance.do(
            "CreateConversationParticipant", {"Identity": "alice"}, ConversationSid=self.sid
        )
        user = await self.instance.do("FetchUser", Sid="alice")
        listener = ClientListener(self.instance, "alice", user.sid)
        await listener.connect()
        return listener

    async def last(self) -> int:
        """Return the number of the newest event."""
        return await self.instance.store.read(event_log.visible_through)

    async def wait_published(self) -> None:
        """Wait until all committed events have been published."""
        last_changed = self.instance.app.realtime.last_changed

        async def is_notified() -> bool:
            return last_changed.position == await self.last()

        await poll_until(is_notified)


def run_scenario(data: Path, scenario: Callable[[ReplayScenario], Awaitable[None]]) -> None:
    async def run() -> None:
        async with InProcessServer(data) as instance:
            await scenario(ReplayScenario(instance))

    asyncio.run(run())


@pytest.mark.parametrize("why", ["too much was missed", "the log is too short"])
def test_a_conversation_resyncs_where_the_log_does_not_suffice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    async def scenario(stage: ReplayScenario) -> None:
        listener = await stage.set()
        before = await stage.last()
        for number in range(5):
            await stage.instance.send_message(stage.sid, str(number))
        await stage.wait_published()
        if why == "too much was missed":
            monkeypatch.setattr(limits, "REPLAY_SCANNED_EVENTS_MAX", 4)
        else:
            await stage.instance.store.write(_retire_all_but_one)
        await listener.subscribe(
            (ObjectKind.MESSAGES, stage.sid, before), (ObjectKind.CONVERSATION, stage.sid, 0)
        )
        assert listener.kinds() == [
            "map_item_removed",
            "map_item_added",
            "subscription_established",
        ]
        mine = ObjectName(ObjectKind.MY_CONVERSATIONS, listener.user_sid).sid
        assert {each["event"]["map_sid"] for each in listener.received[:2]} == {mine}
        assert {each["event"]["item_key"] for each in listener.received[:2]} == {stage.sid}

    run_scenario(tmp_path, scenario)


async def _retire_all_but_one(tx: Transaction) -> None:
    await tx.run(event_log.DELETE_UP_TO, await event_log.visible_through(tx) - 1)


def test_events_during_the_state_read_follow_the_state(tmp_path: Path) -> None:
    async def scenario(stage: ReplayScenario) -> None:
        listener = await stage.set()
        hub = stage.instance.app.realtime.hub
        name = ObjectName(ObjectKind.MESSAGES, stage.sid)
        base = await stage.last()
        hub.begin_subscription(listener, name)
        await stage.instance.send_message(stage.sid, "meanwhile")
        await stage.wait_published()
        assert listener.kinds() == []
        hub.activate(listener, name, base)
        assert listener.kinds() == ["list_item_added"]
        await stage.instance.send_message(stage.sid, "later")
        await stage.wait_published()
        assert [each["event"]["item_data"]["text"] for each in listener.received] == [
            "meanwhile",
            "later",
        ]

    run_scenario(tmp_path, scenario)


def test_events_in_the_state_are_not_replayed(tmp_path: Path) -> None:
    async def scenario(stage: ReplayScenario) -> None:
        listener = await stage.set()
        hub = stage.instance.app.realtime.hub
        name = ObjectName(ObjectKind.MESSAGES, stage.sid)
        hub.begin_subscription(listener, name)
        await stage.instance.send_message(stage.sid, "shown already")
        await stage.wait_published()
        hub.activate(listener, name, await stage.last())
        assert listener.kinds() == []

    run_scenario(tmp_path, scenario)


def test_a_client_with_too_many_held_notifications_is_disconnected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(stage: ReplayScenario) -> None:
        listener = await stage.set()
        monkeypatch.setattr(limits, "HELD_NOTIFICATIONS_MAX", 3)
        stage.instance.app.realtime.hub.begin_subscription(
            listener, ObjectName(ObjectKind.MESSAGES, stage.sid)
        )
        for number in range(5):
            await stage.instance.send_message(stage.sid, str(number))
        await stage.wait_published()
        assert listener.overflowed

    run_scenario(tmp_path, scenario)


def test_an_unchanged_conversation_reads_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(stage: ReplayScenario) -> None:
        listener = await stage.set()
        await stage.wait_published()
        before = await stage.last()
        other = (await stage.instance.do("CreateConversation")).sid
        for number in range(3):
            await stage.instance.send_message(other, str(number))
        await stage.wait_published()

        async def looked(*_: object) -> list[tuple[int, str]]:
            raise AssertionError("looked at the log")

        monkeypatch.setattr(event_log, "conversations_after", looked)
        await listener.subscribe(
            (ObjectKind.MESSAGES, stage.sid, before), (ObjectKind.ROSTER, stage.sid, before)
        )
        assert listener.kinds() == ["subscription_established"]

    run_scenario(tmp_path, scenario)


def test_changes_before_the_first_connection_are_read_from_the_log(tmp_path: Path) -> None:
    async def scenario(stage: ReplayScenario) -> None:
        quiet = (await stage.instance.do("CreateConversation")).sid
        loud = (await stage.instance.do("CreateConversation")).sid
        before = await stage.last()
        await stage.instance.send_message(loud, "x")
        await stage.set()
        last_changed = stage.instance.app.realtime.last_changed

        async def knows() -> bool:
            return not last_changed.changed_since(quiet, before)

        await poll_until(knows)
        assert last_changed.changed_since(loud, before)

    run_scenario(tmp_path, scenario)


def test_a_left_conversation_is_sent_after_a_reconnect(tmp_path: Path) -> None:
    async def scenario(stage: ReplayScenario) -> None:
        listener = await stage.set()
        before = await stage.last()
        await stage.instance.do(
            "DeleteConversationParticipant", ConversationSid=stage.sid, Sid="alice"
        )
        await stage.wait_published()
        await listener.subscribe((ObjectKind.CONVERSATION, stage.sid, before))
        assert listener.kinds() == ["map_item_removed", "subscription_failed"]
        assert listener.received[0]["event"]["item_key"] == stage.sid

    run_scenario(tmp_path, scenario)


def test_conversations_joined_while_disconnected_are_replayed(tmp_path: Path) -> None:
    async def scenario(stage: ReplayScenario) -> None:
        listener = await stage.set()
        before = await stage.last()
        sid = (await stage.instance.do("CreateConversation")).sid
        await stage.instance.do(
            "CreateConversationParticipant", {"Identity": "alice"}, ConversationSid=sid
        )
        await stage.wait_published()
        await listener.subscribe((ObjectKind.MY_CONVERSATIONS, listener.user_sid, before))
        assert listener.kinds() == ["map_item_added", "subscription_established"]
        assert {each["item_key"] for each in listener.received[0]["events"]} == {stage.sid, sid}

    run_scenario(tmp_path, scenario)


def test_without_connections_no_events_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(stage: ReplayScenario) -> None:
        monkeypatch.setattr(limits, "FEED_IDLE_MS", 0)
        monkeypatch.setattr(limits, "DISPATCH_POLL_MS", 10)
        listener = await stage.set()
        event_feed = stage.instance.app.realtime.connections.event_feed
        assert event_feed.is_running
        stage.instance.app.realtime.hub.remove(listener)

        async def sleeps() -> bool:
            return not event_feed.is_running

        await poll_until(sleeps)
        await listener.connect()
        assert event_feed.is_running
        await listener.subscribe((ObjectKind.MESSAGES, stage.sid, await stage.last()))
        await stage.instance.send_message(stage.sid, "received again")
        await stage.wait_published()
        assert listener.kinds()[-1] == "list_item_added"

    run_scenario(tmp_path, scenario)


def test_an_object_named_twice_is_sent_and_confirmed_once(tmp_path: Path) -> None:
    async def scenario(stage: ReplayScenario) -> None:
        listener = await stage.set()
        before = await stage.last()
        for number in range(3):
            await stage.instance.send_message(stage.sid, str(number))
        await stage.wait_published()
        last = await stage.last()
        await listener.subscribe(
            (ObjectKind.MESSAGES, stage.sid, last),
            (ObjectKind.MESSAGES, stage.sid, before),
            (ObjectKind.MESSAGES, stage.sid, None),
        )
        assert listener.kinds() == ["list_item_added", "subscription_established"]
        indexes = [each["item_index"] for each in listener.received[0]["events"]]
        assert indexes == [0, 1, 2]
        assert len(listener.received[1]["events"]) == 1

    run_scenario(tmp_path, scenario)


@pytest.mark.parametrize(
    ("bound", "value"), [("REPLAYED_BYTES_PER_STEP", 4_000), ("REPLAYED_EVENTS_PER_STEP", 10)]
)
def test_a_long_replay_is_complete_in_several_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    async def scenario(stage: ReplayScenario) -> None:
        listener = await stage.set()
        before = await stage.last()
        for number in range(80):
            await stage.instance.send_message(stage.sid, str(number) * 20)
        await stage.wait_published()
        monkeypatch.setattr(limits, bound, value)
        await listener.subscribe(
            (ObjectKind.CONVERSATION, stage.sid, before),
            (ObjectKind.ROSTER, stage.sid, before),
            (ObjectKind.MESSAGES, stage.sid, before),
        )
        added = [each for each in listener.received if each["event_type"] == "list_item_added"]
        indices = [event["item_index"] for each in added for event in each["events"]]
        assert indices == list(range(80))
        assert len(added) > 5
        assert max(len(each["events"]) for each in added) <= limits.REPLAYED_EVENTS_PER_STEP
        assert listener.kinds().count("document_updated") == 1
        assert listener.kinds()[-1] == "subscription_established"

    run_scenario(tmp_path, scenario)


def test_a_disconnected_client_is_unregistered(tmp_path: Path) -> None:
    async def scenario(stage: ReplayScenario) -> None:
        listener = await stage.set()
        hub = stage.instance.app.realtime.hub
        hub.remove(listener)
        await listener.subscribe((ObjectKind.MESSAGES, stage.sid, await stage.last()))
        assert listener.subscribed == {}
        assert not hub.has_conversation_subscribers(stage.sid)

    run_scenario(tmp_path, scenario)


@pytest.mark.parametrize("why", ["scan", "new beginning"])
def test_reads_of_a_subscription_take_turns_and_end_with_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    is_in_turn, reads = False, 0

    @asynccontextmanager
    async def slot(self: ReadScheduler, account_sid: str, identity: str) -> AsyncIterator[None]:
        nonlocal is_in_turn
        async with original_slot(self, account_sid, identity):
            is_in_turn = True
            yield
            is_in_turn = False

    original_slot = ReadScheduler.slot

    async def scenario(stage: ReplayScenario) -> None:
        listener = await stage.set()
        before = await stage.last()
        sids = [stage.sid, *[(await stage.instance.do("CreateConversation")).sid for _ in range(3)]]
        for sid in sids[1:]:
            await stage.instance.do(
                "CreateConversationParticipant", {"Identity": "alice"}, ConversationSid=sid
            )
        await stage.instance.send_message(stage.sid, "missed")
        await stage.wait_published()
        module: Any = event_log if why == "scan" else participant_store
        name = "conversations_after" if why == "scan" else "find_participant_by_identity"
        read = getattr(module, name)

        async def watched(*args: Any, **named: Any) -> Any:
            nonlocal reads
            reads += 1
            assert is_in_turn
            listener.is_gone = reads == 2
            return await read(*args, **named)

        wanted = [(ObjectKind.CONVERSATION, sid, before) for sid in sids]
        monkeypatch.setattr(limits, "REPLAY_SCANNED_EVENTS_PER_STEP", 1)
        if why == "new beginning":
            monkeypatch.setattr(limits, "REPLAY_SCANNED_EVENTS_MAX", 1)
        monkeypatch.setattr(ReadScheduler, "slot", slot)
        monkeypatch.setattr(subscriptions.Visibility, "is_visible", _yes)
        monkeypatch.setattr(subscriptions.Visibility, "first_visible", _first)
        monkeypatch.setattr(module, name, watched)
        with pytest.raises(ConnectionClosed):
            await listener.subscribe(*wanted)
        assert reads == 2

    run_scenario(tmp_path, scenario)


async def _yes(*_: object) -> bool:
    return True


async def _first(_: object, __: object, candidates: tuple[ObjectName, ...]) -> ObjectName:
    return candidates[0]
