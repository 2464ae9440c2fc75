"""Replay in its corners: a log that is too short, too much missed, and what happens meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from parlour.realtime import subscriptions
from parlour.realtime.outbox import Gone
from parlour.realtime.turns import Turns
from parlour.resources.participants import store as participant_store
from parlour.store import event_log
from parlour.vocabulary import limits
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName
from tests.events.in_process_server import House, until_read
from tests.realtime.client_listener import Ear

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from parlour.store.transaction import Transaction


class Stage:
    """A conversation of alice, and her ear."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.sid = ""

    async def set(self) -> Ear:
        """Make it all; the ear is connected and listens to nothing."""
        self.sid = (await self.house.do("CreateConversation")).sid
        await self.house.do(
            "CreateConversationParticipant", {"Identity": "alice"}, ConversationSid=self.sid
        )
        user = await self.house.do("FetchUser", Sid="alice")
        ear = Ear(self.house, "alice", user.sid)
        await ear.enter()
        return ear

    async def last(self) -> int:
        """The number of the newest event."""
        return await self.house.store.read(event_log.visible_through)

    async def heard(self) -> None:
        """Wait until everything that is committed has been told."""
        recency = self.house.app.realtime.recency

        async def is_told() -> bool:
            return recency.position == await self.last()

        await until_read(is_told)


def play(data: Path, scene: Callable[[Stage], Awaitable[None]]) -> None:
    async def run() -> None:
        async with House(data) as house:
            await scene(Stage(house))

    asyncio.run(run())


@pytest.mark.parametrize("why", ["too much was missed", "the log is too short"])
def test_a_conversation_begins_anew_where_the_log_does_not_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    async def scene(stage: Stage) -> None:
        ear = await stage.set()
        before = await stage.last()
        for number in range(5):
            await stage.house.say(stage.sid, str(number))
        await stage.heard()
        if why == "too much was missed":
            monkeypatch.setattr(limits, "REPLAY_SCANNED_EVENTS_MAX", 4)
        else:
            await stage.house.store.write(_retire_all_but_one)
        await ear.subscribe(
            (ObjectKind.MESSAGES, stage.sid, before), (ObjectKind.CONVERSATION, stage.sid, 0)
        )
        assert ear.kinds() == ["map_item_removed", "map_item_added", "subscription_established"]
        mine = ObjectName(ObjectKind.MY_CONVERSATIONS, ear.user_sid).sid
        assert {each["event"]["map_sid"] for each in ear.told[:2]} == {mine}
        assert {each["event"]["item_key"] for each in ear.told[:2]} == {stage.sid}

    play(tmp_path, scene)


async def _retire_all_but_one(tx: Transaction) -> None:
    await tx.run(event_log.DELETE_UP_TO, await event_log.visible_through(tx) - 1)


def test_what_comes_while_the_state_is_read_comes_after_it(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ear = await stage.set()
        hub = stage.house.app.realtime.hub
        name = ObjectName(ObjectKind.MESSAGES, stage.sid)
        base = await stage.last()
        hub.hold(ear, name)
        await stage.house.say(stage.sid, "meanwhile")
        await stage.heard()
        assert ear.kinds() == []
        hub.listen(ear, name, base)
        assert ear.kinds() == ["list_item_added"]
        await stage.house.say(stage.sid, "later")
        await stage.heard()
        assert [each["event"]["item_data"]["text"] for each in ear.told] == ["meanwhile", "later"]

    play(tmp_path, scene)


def test_what_the_state_shows_is_not_told_again(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ear = await stage.set()
        hub = stage.house.app.realtime.hub
        name = ObjectName(ObjectKind.MESSAGES, stage.sid)
        hub.hold(ear, name)
        await stage.house.say(stage.sid, "shown already")
        await stage.heard()
        hub.listen(ear, name, await stage.last())
        assert ear.kinds() == []

    play(tmp_path, scene)


def test_whoever_cannot_be_told_fast_enough_is_sent_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(stage: Stage) -> None:
        ear = await stage.set()
        monkeypatch.setattr(limits, "HELD_NEWS_MAX", 3)
        stage.house.app.realtime.hub.hold(ear, ObjectName(ObjectKind.MESSAGES, stage.sid))
        for number in range(5):
            await stage.house.say(stage.sid, str(number))
        await stage.heard()
        assert ear.overflowed

    play(tmp_path, scene)


def test_an_unchanged_conversation_costs_no_look_at_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(stage: Stage) -> None:
        ear = await stage.set()
        await stage.heard()
        before = await stage.last()
        other = (await stage.house.do("CreateConversation")).sid
        for number in range(3):
            await stage.house.say(other, str(number))
        await stage.heard()

        async def looked(*_: object) -> list[tuple[int, str]]:
            raise AssertionError("looked at the log")

        monkeypatch.setattr(event_log, "conversations_after", looked)
        await ear.subscribe(
            (ObjectKind.MESSAGES, stage.sid, before), (ObjectKind.ROSTER, stage.sid, before)
        )
        assert ear.kinds() == ["subscription_established"]

    play(tmp_path, scene)


def test_what_changed_before_the_first_connection_is_learnt_from_the_log(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        quiet = (await stage.house.do("CreateConversation")).sid
        loud = (await stage.house.do("CreateConversation")).sid
        before = await stage.last()
        await stage.house.say(loud, "x")
        await stage.set()
        recency = stage.house.app.realtime.recency

        async def knows() -> bool:
            return not recency.changed_since(quiet, before)

        await until_read(knows)
        assert recency.changed_since(loud, before)

    play(tmp_path, scene)


def test_a_left_conversation_is_told_to_whoever_was_away(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ear = await stage.set()
        before = await stage.last()
        await stage.house.do(
            "DeleteConversationParticipant", ConversationSid=stage.sid, Sid="alice"
        )
        await stage.heard()
        await ear.subscribe((ObjectKind.CONVERSATION, stage.sid, before))
        assert ear.kinds() == ["map_item_removed", "subscription_failed"]
        assert ear.told[0]["event"]["item_key"] == stage.sid

    play(tmp_path, scene)


def test_what_a_user_joined_meanwhile_is_told_again(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ear = await stage.set()
        before = await stage.last()
        sid = (await stage.house.do("CreateConversation")).sid
        await stage.house.do(
            "CreateConversationParticipant", {"Identity": "alice"}, ConversationSid=sid
        )
        await stage.heard()
        await ear.subscribe((ObjectKind.MY_CONVERSATIONS, ear.user_sid, before))
        assert ear.kinds() == ["map_item_added", "subscription_established"]
        assert {each["item_key"] for each in ear.told[0]["events"]} == {stage.sid, sid}

    play(tmp_path, scene)


def test_nobody_connected_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(stage: Stage) -> None:
        monkeypatch.setattr(limits, "NEWS_LONELY_MS", 0)
        monkeypatch.setattr(limits, "DISPATCH_POLL_MS", 10)
        ear = await stage.set()
        news = stage.house.app.realtime.endpoint.news
        assert news.is_awake
        stage.house.app.realtime.hub.leave(ear)

        async def sleeps() -> bool:
            return not news.is_awake

        await until_read(sleeps)
        await ear.enter()
        assert news.is_awake
        await ear.subscribe((ObjectKind.MESSAGES, stage.sid, await stage.last()))
        await stage.house.say(stage.sid, "heard again")
        await stage.heard()
        assert ear.kinds()[-1] == "list_item_added"

    play(tmp_path, scene)


def test_an_object_that_is_named_twice_is_told_and_confirmed_once(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ear = await stage.set()
        before = await stage.last()
        for number in range(3):
            await stage.house.say(stage.sid, str(number))
        await stage.heard()
        last = await stage.last()
        await ear.subscribe(
            (ObjectKind.MESSAGES, stage.sid, last),
            (ObjectKind.MESSAGES, stage.sid, before),
            (ObjectKind.MESSAGES, stage.sid, None),
        )
        assert ear.kinds() == ["list_item_added", "subscription_established"]
        told = [each["item_index"] for each in ear.told[0]["events"]]
        assert told == [0, 1, 2]
        assert len(ear.told[1]["events"]) == 1

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("bound", "value"), [("REPLAYED_BYTES_PER_STEP", 4_000), ("REPLAYED_EVENTS_PER_STEP", 10)]
)
def test_a_long_replay_comes_in_steps_and_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    async def scene(stage: Stage) -> None:
        ear = await stage.set()
        before = await stage.last()
        for number in range(80):
            await stage.house.say(stage.sid, str(number) * 20)
        await stage.heard()
        monkeypatch.setattr(limits, bound, value)
        await ear.subscribe(
            (ObjectKind.CONVERSATION, stage.sid, before),
            (ObjectKind.ROSTER, stage.sid, before),
            (ObjectKind.MESSAGES, stage.sid, before),
        )
        added = [each for each in ear.told if each["event_type"] == "list_item_added"]
        indices = [event["item_index"] for each in added for event in each["events"]]
        assert indices == list(range(80))
        assert len(added) > 5
        assert max(len(each["events"]) for each in added) <= limits.REPLAYED_EVENTS_PER_STEP
        assert ear.kinds().count("document_updated") == 1
        assert ear.kinds()[-1] == "subscription_established"

    play(tmp_path, scene)


def test_whoever_has_gone_is_registered_nowhere(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ear = await stage.set()
        hub = stage.house.app.realtime.hub
        hub.leave(ear)
        await ear.subscribe((ObjectKind.MESSAGES, stage.sid, await stage.last()))
        assert ear.listening == {}
        assert not hub.is_of_interest(stage.sid)

    play(tmp_path, scene)


@pytest.mark.parametrize("why", ["scan", "new beginning"])
def test_reads_of_a_subscription_take_turns_and_end_with_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    is_in_turn, reads = False, 0

    @asynccontextmanager
    async def of(self: Turns, account_sid: str, identity: str) -> AsyncIterator[None]:
        nonlocal is_in_turn
        async with turns_of(self, account_sid, identity):
            is_in_turn = True
            yield
            is_in_turn = False

    turns_of = Turns.of

    async def scene(stage: Stage) -> None:
        ear = await stage.set()
        before = await stage.last()
        sids = [stage.sid, *[(await stage.house.do("CreateConversation")).sid for _ in range(3)]]
        for sid in sids[1:]:
            await stage.house.do(
                "CreateConversationParticipant", {"Identity": "alice"}, ConversationSid=sid
            )
        await stage.house.say(stage.sid, "missed")
        await stage.heard()
        module: Any = event_log if why == "scan" else participant_store
        name = "conversations_after" if why == "scan" else "find_participant_by_identity"
        read = getattr(module, name)

        async def watched(*args: Any, **named: Any) -> Any:
            nonlocal reads
            reads += 1
            assert is_in_turn
            ear.is_gone = reads == 2
            return await read(*args, **named)

        wanted = [(ObjectKind.CONVERSATION, sid, before) for sid in sids]
        monkeypatch.setattr(limits, "REPLAY_SCANNED_EVENTS_PER_STEP", 1)
        if why == "new beginning":
            monkeypatch.setattr(limits, "REPLAY_SCANNED_EVENTS_MAX", 1)
        monkeypatch.setattr(Turns, "of", of)
        monkeypatch.setattr(subscriptions.Visibility, "may_see", _yes)
        monkeypatch.setattr(subscriptions.Visibility, "seen", _first)
        monkeypatch.setattr(module, name, watched)
        with pytest.raises(Gone):
            await ear.subscribe(*wanted)
        assert reads == 2

    play(tmp_path, scene)


async def _yes(*_: object) -> bool:
    return True


async def _first(_: object, __: object, candidates: tuple[ObjectName, ...]) -> ObjectName:
    return candidates[0]
