"""ReplayAfter: a new webhook receives the messages that existed before it, each once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from parlour.delivery.targets import replays_of
from parlour.store import event_log
from parlour.vocabulary import event_names, limits
from tests.events.in_process_server import (
    ALICE,
    BY_SMS,
    WITH_HEADER,
    InProcessServer,
    ScenarioRunner,
    scenario_runner,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.webhook_backend import WebhookBackend


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server."""
    return scenario_runner(tmp_path / "data")


def bodies(backend: WebhookBackend, path: str) -> list[tuple[str, str]]:
    """Return the messages that a path received, in order."""
    return [
        (received.values["Index"], received.values["Body"])
        for received in backend.requests_to(path)
    ]


@pytest.mark.parametrize(
    ("after", "expected"), [(0, [0, 1, 2]), (1, [1, 2]), (2, [2]), (3, []), (2**62, [])]
)
def test_a_replay_begins_with_the_index_that_is_named(
    run_scenario: ScenarioRunner, after: int, expected: list[int]
) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        for number in range(3):
            await instance.send_message(sid, f"m{number}")
        values = {"Filters": "onMessageAdded", "ReplayAfter": str(after)}
        await instance.attach(sid, Url=backend.url("/s"), **values)
        await instance.send_message(sid, "live", WITH_HEADER)
        await instance.wait_until_idle()
        replayed = [(str(number), f"m{number}") for number in expected]
        assert bodies(backend, "/s") == [*replayed, ("3", "live")]

    run_scenario(scenario)


def test_a_replay_contains_author_and_date(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        messages = [
            await instance.send_message(sid, "x", origin) for origin in (ALICE, BY_SMS, WITH_HEADER)
        ]
        await instance.send_message(sid, "old", DateCreated="2020-01-02T03:04:05Z")
        values = {"Filters": "onMessageAdded", "ReplayAfter": "0"}
        await instance.attach(sid, Url=backend.url("/s"), **values)
        await instance.wait_until_idle()
        received = [each.values for each in backend.requests_to("/s")]
        assert [each["Source"] for each in received] == ["SDK", "SMS", "API", "API"]
        assert [each.get("ClientIdentity") for each in received] == ["alice", None, None, None]
        assert [each["MessageSid"] for each in received[:3]] == [each.sid for each in messages]
        assert received[3]["DateCreated"] == "2020-01-02T03:04:05.000Z"
        assert {each["RetryCount"] for each in received} == {"0"}
        assert all("MessagingServiceSid" in each for each in received)

    run_scenario(scenario)


def test_a_message_is_sent_once_however_soon_the_webhook_is_created(
    run_scenario: ScenarioRunner,
) -> None:
    """A firing message is sent live to existing webhooks, and replayed to a later one."""

    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        values = {"Filters": "onMessageAdded", "ReplayAfter": "0"}
        doing = [instance.send_message(sid, f"m{number}", BY_SMS) for number in range(10)]
        doing.insert(5, instance.attach(sid, Url=backend.url("/s"), **values))
        await asyncio.gather(*doing)
        await instance.wait_until_idle()
        assert [index for index, _ in bodies(backend, "/s")] == [str(n) for n in range(10)]

    run_scenario(scenario)


def test_a_replay_requires_a_webhook_for_added_messages(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        for body in ("one", "two", "three"):
            await instance.send_message(sid, body)
        replay = {"ReplayAfter": "0"}
        await instance.attach(sid, Url=backend.url("/s"), Filters="onMessageUpdated", **replay)
        await instance.attach(sid, "trigger", Url=backend.url("/t"), Triggers=["T"], **replay)
        await instance.wait_until_idle()
        assert bodies(backend, "/s") == []
        assert bodies(backend, "/t") == [("1", "two"), ("2", "three")]

    run_scenario(scenario)


def test_a_replay_is_bounded(run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REPLAYED_MESSAGES_MAX", 2)

    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        for number in range(3):
            await instance.send_message(sid, f"m{number}")
        values = {"Filters": "onMessageAdded", "ReplayAfter": "0"}
        await instance.attach(sid, Url=backend.url("/s"), **values)
        log = await instance.store.read(lambda tx: event_log.read_after(tx, 0, 100))
        (added,) = [each for each in log if each.name == event_names.SCOPED_WEBHOOK_ADDED]
        replays = await instance.store.read(lambda tx: replays_of(tx, added))
        assert [received["Index"] for _, received in replays] == ["0", "1"]
        assert len({target.key for target, _ in replays}) == 2

    run_scenario(scenario)
