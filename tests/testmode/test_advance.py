"""Advances through timers and retries of webhooks, in the order of their dates."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.testmode.clock import advance as clock_advance
from parlour.testmode.clock.clock_control import AdvanceOrder
from parlour.testmode.clock.steered_clock import ClockMode
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from tests.events.in_process_server import WITH_HEADER, InProcessServer, poll_until
from tests.events.webhook_backend import OK, WebhookBackend, respond_with
from tests.testmode.test_settlement import mode_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from parlour.testmode.clock.advance import AdvanceResult
    from tests.events.webhook_backend import WebhookRequest

HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS
ATTEMPTS = "SELECT event_name, date_created, outcome FROM webhook_attempt ORDER BY sid"
STATE_EVENTS = """
SELECT conversation_sid, date_ms FROM event WHERE name = 'onConversationStateUpdated'
 ORDER BY sequence
"""


async def advance(
    server: InProcessServer, by_ms: int, *, timeout_ms: int = 60_000
) -> AdvanceResult:
    """Advance the clock of a server."""
    mode = mode_of(server)
    return await mode.clock_control.advance(AdvanceOrder(mode.clock.now_ms() + by_ms, timeout_ms))


async def freeze(server: InProcessServer) -> int:
    """Freeze the clock; return its date."""
    await mode_of(server).clock_control.set_mode(ClockMode.FROZEN, None)
    return mode_of(server).clock.now_ms()


def run_in(
    folder: Path, scenario: Callable[[InProcessServer, WebhookBackend], Awaitable[None]]
) -> None:
    """Run a scenario with a server in test mode."""

    async def run() -> None:
        async with WebhookBackend() as backend, InProcessServer(folder, test=True) as server:
            await scenario(server, backend)

    asyncio.run(run())


def test_timers_fire_at_their_dates_and_a_chain_unfolds_in_order(tmp_path: Path) -> None:
    """The state event of a timer has a webhook, which fails once and is retried."""

    async def scenario(server: InProcessServer, backend: WebhookBackend) -> None:
        failures = [respond_with(500)]

        async def fail_once(request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
            if failures:
                await failures.pop()(request, writer)
            else:
                writer.write(OK)

        backend.responders["/post"] = fail_once
        start = await freeze(server)
        await server.enable_webhooks(
            backend, PreWebhookUrl="", Filters=["onConversationStateUpdated"]
        )
        form = {"Timers.Inactive": "PT1M", "Timers.Closed": "PT10M"}
        made = await server.do("CreateConversation", form)

        result = await advance(server, 15 * 60_000)

        assert result.settled
        events = await server.store.read(lambda tx: tx.all(STATE_EVENTS))
        assert events == [(made.sid, start + 60_000), (made.sid, start + 600_000)]
        attempts = await server.store.read(lambda tx: tx.all(ATTEMPTS))
        assert [(at - start) // 1000 for _, at, _ in attempts] == [60, 61, 600]
        assert [outcome for _, _, outcome in attempts] == ["retrying", "delivered", "delivered"]
        fired = [(each.at_ms - start, each.what) for each in result.fired]
        assert [what for _, what in fired] == ["timers", "webhooks", "timers"]
        assert [at // 1000 for at, _ in fired] == [60, 61, 600]
        states = [request.values["StateTo"] for request in backend.requests_to("/post")]
        assert states == ["inactive", "inactive", "closed"]

    run_in(tmp_path, scenario)


def test_a_day_of_retries_has_the_documented_pauses(tmp_path: Path) -> None:
    async def scenario(server: InProcessServer, backend: WebhookBackend) -> None:
        backend.responders["/post"] = respond_with(503)
        start = await freeze(server)
        await server.enable_webhooks(backend, PreWebhookUrl="")
        await server.do("CreateConversation", origin=WITH_HEADER)

        result = await advance(server, 26 * HOUR_MS)

        attempts = await server.store.read(lambda tx: tx.all(ATTEMPTS))
        dates = [at - start for _, at, _ in attempts]
        # The jitter of the intervals decides about one more.
        assert len(attempts) == len(backend.requests)
        assert len(attempts) in {17, 18}
        assert dates == sorted(dates)
        assert dates[0] == 0
        assert dates[-1] > 20 * HOUR_MS
        assert result.settled
        assert result.now_ms == start + 26 * HOUR_MS
        assert sum(each.what == "webhooks" for each in result.fired) == len(attempts) - 1

    run_in(tmp_path, scenario)


def test_a_hanging_receiver_stops_the_advance_and_a_second_call_continues(tmp_path: Path) -> None:
    async def scenario(server: InProcessServer, backend: WebhookBackend) -> None:
        released = asyncio.Event()

        async def wait(_request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
            await released.wait()
            writer.write(OK)

        backend.responders["/post"] = wait
        start = await freeze(server)
        await server.enable_webhooks(backend, PreWebhookUrl="")
        await server.do("CreateConversation", {"Timers.Closed": "PT10M"})

        stopped = await advance(server, DAY_MS, timeout_ms=100)

        assert not stopped.settled
        assert stopped.now_ms == start + 600_000
        assert stopped.waiting_for[0].startswith(f"webhook POST {backend.url('/post')}, ")
        released.set()
        result = await advance(server, DAY_MS)
        assert result.settled
        assert result.now_ms == start + 600_000 + DAY_MS

    run_in(tmp_path, scenario)


def test_an_advance_stops_after_its_most_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CLOCK_STEPS_MAX", 2)

    async def scenario(server: InProcessServer, _backend: WebhookBackend) -> None:
        start = await freeze(server)
        for minutes in range(1, 4):
            await server.do("CreateConversation", {"Timers.Closed": f"PT{10 * minutes}M"})

        first = await advance(server, HOUR_MS)
        second = await advance(server, HOUR_MS)

        assert (first.settled, first.steps, first.waiting_for) == (False, 2, ("steps",))
        assert first.now_ms == start + 20 * 60_000
        assert second.settled

    run_in(tmp_path, scenario)


def test_a_second_advance_is_rejected_and_a_client_that_left_does_not_stop_the_first(
    tmp_path: Path,
) -> None:
    async def scenario(server: InProcessServer, _backend: WebhookBackend) -> None:
        start = await freeze(server)
        control = mode_of(server).clock_control
        first = asyncio.create_task(advance(server, DAY_MS))
        await asyncio.sleep(0)
        with pytest.raises(ApiError) as refused:
            await advance(server, DAY_MS)
        assert (refused.value.status, refused.value.code) == (409, 20409)
        first.cancel()

        async def is_ready() -> bool:
            return not (await control.state()).is_advancing

        await poll_until(is_ready)
        assert mode_of(server).clock.now_ms() == start + DAY_MS

    run_in(tmp_path, scenario)


def test_advances_take_the_clock_ten_years_ahead_in_all(tmp_path: Path) -> None:
    async def scenario(server: InProcessServer, _backend: WebhookBackend) -> None:
        start = await freeze(server)
        nine_years, year = 9 * 365 * DAY_MS, 366 * DAY_MS
        assert (await advance(server, nine_years)).now_ms == start + nine_years
        with pytest.raises(ApiError, match="10 years at most") as refused:
            await advance(server, 2 * year)
        assert (refused.value.status, refused.value.code) == (400, 20001)
        assert (await advance(server, year)).settled

    run_in(tmp_path, scenario)


def test_the_clock_goes_back_without_data_and_numbers_follow_it(tmp_path: Path) -> None:
    async def scenario(server: InProcessServer, _backend: WebhookBackend) -> None:
        control = mode_of(server).clock_control
        await freeze(server)
        await advance(server, DAY_MS)
        at_ms = 1_577_836_800_000

        await control.set_mode(ClockMode.FROZEN, at_ms)

        made = await server.do("CreateConversation")
        assert made.date_created == at_ms
        assert made.sequence // 1_000_000 == at_ms // 1000
        with pytest.raises(ApiError) as refused:
            await control.set_mode(ClockMode.FROZEN, at_ms - 1)
        assert (refused.value.status, refused.value.code) == (400, 20001)

    run_in(tmp_path, scenario)


def test_a_reset_ends_an_advance_and_the_clock_shows_the_real_time(tmp_path: Path) -> None:
    async def scenario(server: InProcessServer, backend: WebhookBackend) -> None:
        released = asyncio.Event()

        async def wait(_request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
            await released.wait()
            writer.write(OK)

        backend.responders["/post"] = wait
        await freeze(server)
        await server.enable_webhooks(backend, PreWebhookUrl="")
        await server.do("CreateConversation", {"Timers.Closed": "PT10M"})
        running = asyncio.create_task(advance(server, DAY_MS))

        async def has_request() -> bool:
            return bool(backend.requests)

        await poll_until(has_request)
        control = mode_of(server).clock_control
        control.reset()
        released.set()
        result = await running
        assert (result.settled, result.waiting_for) == (False, ("reset",))
        state = await control.state()
        assert (state.mode, state.is_advancing) == (ClockMode.SYSTEM, False)
        assert state.now_ms - state.system_now_ms in {0, -1}

    run_in(tmp_path, scenario)


def test_a_stop_of_the_server_ends_an_advance(tmp_path: Path) -> None:
    async def run() -> None:
        released = asyncio.Event()

        async def wait(_request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
            await released.wait()
            writer.write(OK)

        async with WebhookBackend() as backend, InProcessServer(tmp_path, test=True) as server:
            backend.responders["/post"] = wait
            await server.enable_webhooks(backend, PreWebhookUrl="")
            await server.do("CreateConversation", origin=WITH_HEADER)
            order = AdvanceOrder(mode_of(server).clock.now_ms() + DAY_MS)
            running = mode_of(server).clock_control.start_advance(order)
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_later(0.1, released.set)
        assert running.cancelled()

    asyncio.run(run())


def test_a_planted_step_at_the_target_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above would fail if a step had the date of the target."""

    async def no_due_times(*_: Any) -> list[Any]:
        return []

    monkeypatch.setattr(clock_advance, "due_times", no_due_times)

    async def scenario(server: InProcessServer, _backend: WebhookBackend) -> None:
        start = await freeze(server)
        await server.do("CreateConversation", {"Timers.Closed": "PT10M"})
        await advance(server, DAY_MS)
        events = await server.store.read(lambda tx: tx.all(STATE_EVENTS))
        assert [date_ms for _, date_ms in events] == [start + DAY_MS]

    run_in(tmp_path, scenario)
