"""A property of advances: in one call or in random parts, the same happens at the same dates."""

from __future__ import annotations

import asyncio
import zlib
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from parlour.testmode.clock import advance as clock_advance
from parlour.testmode.clock.clock_control import AdvanceOrder
from parlour.testmode.clock.steered_clock import ClockMode
from parlour.testmode.seeded_random import SeededRandom
from parlour.vocabulary.clock import SystemClock
from tests.events.in_process_server import WITH_HEADER, InProcessServer
from tests.events.webhook_backend import OK, WebhookBackend, respond_with
from tests.testmode.test_settlement import mode_of, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.events.webhook_backend import WebhookRequest

START_MS = 1_767_603_600_000
DAY_MS = 24 * 60 * 60 * 1000
TOTAL_MS = 30 * DAY_MS
CONVERSATIONS = 6
PARTS_MAX = 9
CONVERSATION_ROWS = """
SELECT sid, state, date_updated, date_inactive, date_closed FROM conversation ORDER BY sid
"""
EVENTS = "SELECT date_ms, name, subject_sid, payload FROM event ORDER BY sequence"
ATTEMPTS = """
SELECT date_created, event_name, conversation_sid, outcome, retry_count, status
  FROM webhook_attempt ORDER BY 1, 2, 3, 4, 5
"""
DELIVERIES = """
SELECT event_name, conversation_sid, state, retry_count, due_ms, date_updated
  FROM webhook_delivery ORDER BY 1, 2, 3, 4, 5, 6
"""
RECEIPTS = "SELECT message_sid, status, date_updated FROM receipt ORDER BY 1, 2, 3"
TABLES = (CONVERSATION_ROWS, EVENTS, ATTEMPTS, DELIVERIES, RECEIPTS)


class StartClock(SystemClock):
    """The real time of a machine at the start of the scenario."""

    def now_ms(self) -> int:
        """The same date always."""
        return START_MS


class World(NamedTuple):
    """One random scenario, and how its advance is divided."""

    seed: int
    parts_ms: list[int]


def divided(draw: Random) -> list[int]:
    """Return random parts of the whole advance."""
    cuts = sorted(draw.randrange(TOTAL_MS) for _ in range(draw.randrange(1, PARTS_MAX)))
    ends = [*cuts, TOTAL_MS]
    return [end - begin for begin, end in zip([0, *cuts], ends, strict=True)]


async def fail_often(request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
    """Fail two thirds of the attempts: always the same ones."""
    values = request.values
    named = f"{values['EventType']} {values['ConversationSid']} {values['RetryCount']}"
    if zlib.crc32(named.encode()) % 3:
        await respond_with(503)(request, writer)
    else:
        writer.write(OK)


def timer(draw: Random, least_hours: int, most_hours: int) -> str:
    """Return a duration of some hours and seconds."""
    return f"PT{draw.randrange(least_hours, most_hours)}H{draw.randrange(1, 3600)}S"


async def begin(server: InProcessServer, backend: WebhookBackend, seed: int) -> None:
    """Create conversations with timers, webhooks and texts, at the frozen start."""
    draw = Random(seed)
    backend.responders["/post"] = fail_often
    await mode_of(server).clock_control.set_mode(ClockMode.FROZEN, None)
    await server.enable_webhooks(backend, PreWebhookUrl="")
    for number in range(CONVERSATIONS):
        form = {
            "Timers.Inactive": timer(draw, 1, 300),
            "Timers.Closed": timer(draw, 300, 800),
        }
        made = await server.do("CreateConversation", form, origin=WITH_HEADER)
        binding = {
            "MessagingBinding.Address": f"+1555000{number:04}",
            "MessagingBinding.ProxyAddress": "+15551230000",
        }
        await server.do("CreateConversationParticipant", binding, ConversationSid=made.sid)
        await server.send_message(made.sid, f"text {number}", WITH_HEADER)
        # One after the other: SIDs of attempts are drawn in the order of responses.
        assert (await settle(server)).settled


async def outcome(folder: Path, backend: WebhookBackend, world: World) -> list[list[Any]]:
    """Return all rows after a scenario."""
    settings = {"test": True, "random_seed": world.seed + 1, "clock": StartClock()}
    async with InProcessServer(folder, **settings) as server:
        await begin(server, backend, world.seed)
        mode = mode_of(server)
        for part_ms in world.parts_ms:
            order = AdvanceOrder(mode.clock.now_ms() + part_ms, 60_000)
            result = await mode.clock_control.advance(order)
            assert result.settled, result.waiting_for
        return [await server.store.read(lambda tx, sql=sql: tx.all(sql)) for sql in TABLES]


def compared(
    folder: Path, seed: int, plants: Sequence[Callable[[], object]] = (lambda: None,)
) -> list[bool]:
    """Return whether an advance in one call equals one in random parts, with each fault."""

    async def run() -> list[bool]:
        async with WebhookBackend() as backend:
            parts = World(seed, divided(Random(~seed)))
            expected = await outcome(new("parts"), backend, parts)
            conversations, _, attempts, *_ = expected
            assert "retrying" in {row[3] for row in attempts}
            assert "closed" in {row[1] for row in conversations}
            equal = []
            for number, plant in enumerate(plants):
                plant()
                at_once = await outcome(new(f"once{number}"), backend, World(seed, [TOTAL_MS]))
                equal.append(at_once == expected)
        return equal

    def new(name: str) -> Path:
        (folder / name).mkdir()
        return folder / name

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def same_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jitter of retries does not depend on the order of responses."""
    monkeypatch.setattr(SeededRandom, "fraction", lambda _self: 0.5)


@pytest.mark.gate
@pytest.mark.parametrize("seed", range(10, 40))
def test_an_advance_in_one_call_equals_one_in_random_parts(tmp_path: Path, seed: int) -> None:
    assert compared(tmp_path, seed) == [True]


def _skip_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the third step go to the second due time."""
    original, calls = clock_advance.due_times, []

    async def skipping(*parts: Any) -> list[Any]:
        found = sorted(await original(*parts))
        calls.append(found)
        return found[1:] if len(calls) == 3 else found

    monkeypatch.setattr(clock_advance, "due_times", skipping)


def _use_the_target_s_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(*_: Any) -> list[Any]:
        return []

    monkeypatch.setattr(clock_advance, "due_times", none)


def test_advances_are_equal_and_planted_faults_of_their_order_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plants = (
        lambda: None,
        lambda: _skip_one_step(monkeypatch),
        lambda: _use_the_target_s_time(monkeypatch),
    )
    assert compared(tmp_path, 1, plants) == [True, False, False]
