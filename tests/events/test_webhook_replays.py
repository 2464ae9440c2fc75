"""ReplayAfter: a new webhook hears of the messages that were there before it, each once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from parlour.delivery.targets import replays_of
from parlour.store import event_log
from parlour.vocabulary import event_names, limits
from tests.events.in_process_server import ALICE, BY_SMS, WITH_HEADER, House, Play, player

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.webhook_backend import Hooks


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Runs a scene on a server of its own."""
    return player(tmp_path / "data")


def bodies(hooks: Hooks, path: str) -> list[tuple[str, str]]:
    """The messages that a path was told, in order."""
    return [(told.values["Index"], told.values["Body"]) for told in hooks.at(path)]


@pytest.mark.parametrize(
    ("after", "expected"), [(0, [0, 1, 2]), (1, [1, 2]), (2, [2]), (3, []), (2**62, [])]
)
def test_a_replay_begins_with_the_index_that_is_named(
    play: Play, after: int, expected: list[int]
) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        sid = (await house.do("CreateConversation")).sid
        for number in range(3):
            await house.say(sid, f"m{number}")
        values = {"Filters": "onMessageAdded", "ReplayAfter": str(after)}
        await house.attach(sid, Url=hooks.url("/s"), **values)
        await house.say(sid, "live", WITH_HEADER)
        await house.settled()
        replayed = [(str(number), f"m{number}") for number in expected]
        assert bodies(hooks, "/s") == [*replayed, ("3", "live")]

    play(scene)


def test_a_replay_tells_who_said_it_and_when(play: Play) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        sid = (await house.do("CreateConversation")).sid
        said = [await house.say(sid, "x", origin) for origin in (ALICE, BY_SMS, WITH_HEADER)]
        await house.say(sid, "old", DateCreated="2020-01-02T03:04:05Z")
        values = {"Filters": "onMessageAdded", "ReplayAfter": "0"}
        await house.attach(sid, Url=hooks.url("/s"), **values)
        await house.settled()
        told = [each.values for each in hooks.at("/s")]
        assert [each["Source"] for each in told] == ["SDK", "SMS", "API", "API"]
        assert [each.get("ClientIdentity") for each in told] == ["alice", None, None, None]
        assert [each["MessageSid"] for each in told[:3]] == [each.sid for each in said]
        assert told[3]["DateCreated"] == "2020-01-02T03:04:05.000Z"
        assert {each["RetryCount"] for each in told} == {"0"}
        assert all("MessagingServiceSid" in each for each in told)

    play(scene)


def test_a_message_is_told_once_however_fast_the_webhook_follows(play: Play) -> None:
    """A message that fires is live for the webhooks there are, and replayed to a later one."""

    async def scene(house: House, hooks: Hooks) -> None:
        sid = (await house.do("CreateConversation")).sid
        values = {"Filters": "onMessageAdded", "ReplayAfter": "0"}
        doing = [house.say(sid, f"m{number}", BY_SMS) for number in range(10)]
        doing.insert(5, house.attach(sid, Url=hooks.url("/s"), **values))
        await asyncio.gather(*doing)
        await house.settled()
        assert [index for index, _ in bodies(hooks, "/s")] == [str(n) for n in range(10)]

    play(scene)


def test_a_replay_is_for_webhooks_that_hear_of_messages(play: Play) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        sid = (await house.do("CreateConversation")).sid
        for body in ("one", "two", "three"):
            await house.say(sid, body)
        replay = {"ReplayAfter": "0"}
        await house.attach(sid, Url=hooks.url("/s"), Filters="onMessageUpdated", **replay)
        await house.attach(sid, "trigger", Url=hooks.url("/t"), Triggers=["T"], **replay)
        await house.settled()
        assert bodies(hooks, "/s") == []
        assert bodies(hooks, "/t") == [("1", "two"), ("2", "three")]

    play(scene)


def test_a_replay_is_bounded(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REPLAYED_MESSAGES_MAX", 2)

    async def scene(house: House, hooks: Hooks) -> None:
        sid = (await house.do("CreateConversation")).sid
        for number in range(3):
            await house.say(sid, f"m{number}")
        values = {"Filters": "onMessageAdded", "ReplayAfter": "0"}
        await house.attach(sid, Url=hooks.url("/s"), **values)
        log = await house.store.read(lambda tx: event_log.read_after(tx, 0, 100))
        (added,) = [each for each in log if each.name == event_names.SCOPED_WEBHOOK_ADDED]
        replays = await house.store.read(lambda tx: replays_of(tx, added))
        assert [told["Index"] for _, told in replays] == ["0", "1"]
        assert len({target.key for target, _ in replays}) == 2

    play(scene)
