"""The system's resolver: shared lookups, failures, and accounts that share its threads."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from parlour.egress.resolver import SystemResolver
from parlour.vocabulary import limits
from tests.unit.egress.network import until

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

Run = Any
ROW = (2, 1, 6, "", ("8.8.8.8", 0))


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine in either event loop."""
    return {"asyncio": asyncio.run, "uvloop": uvloop.run}[request.param]


class FakeNames:
    """The names that were looked up; lookups of slow names wait until a test lets them end."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.may_answer = threading.Event()
        self.error: Exception | None = None

    def getaddrinfo(self, host: bytes, port: None, **options: object) -> list[Any]:
        assert (port, options) == (None, {"type": socket.SOCK_STREAM})
        self.asked.append(host)
        if host.startswith(b"slow"):
            self.may_answer.wait(5)
        if self.error is not None:
            raise self.error
        return [ROW, ROW, (10, 1, 6, "", ("::1", 0, 0, 0))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> FakeNames:
    found = FakeNames()
    monkeypatch.setattr(socket, "getaddrinfo", found.getaddrinfo)
    return found


def test_requests_for_one_name_share_a_lookup(run: Run, names: FakeNames) -> None:
    async def scenario() -> None:
        resolve = SystemResolver()
        given_up = asyncio.create_task(resolve("slow.test"))
        waiting = [asyncio.create_task(resolve("slow.test")) for _ in range(5)]
        await until(lambda: names.asked)
        given_up.cancel()
        assert await resolve("fast.test") == ("8.8.8.8", "::1")
        names.may_answer.set()
        assert set(await asyncio.gather(*waiting)) == {("8.8.8.8", "::1")}
        assert sorted(names.asked) == [b"fast.test", b"slow.test"]

    run(scenario())


def test_results_are_not_cached(run: Run, names: FakeNames) -> None:
    async def scenario() -> None:
        resolve = SystemResolver()
        for count in (1, 2):
            await resolve("fast.test")
            assert len(names.asked) == count

    run(scenario())


def test_accounts_do_not_share_lookups(run: Run, names: FakeNames) -> None:
    async def scenario() -> None:
        resolve = SystemResolver()
        names.may_answer.set()
        await asyncio.gather(resolve("slow.test", "AC1"), resolve("slow.test", "AC2"))
        assert names.asked == [b"slow.test"] * 2

    run(scenario())


@pytest.mark.parametrize(
    ("error", "kind"),
    [(socket.gaierror(-2, "unknown"), socket.gaierror), (ValueError("?"), OSError)],
)
def test_any_error_in_a_lookup_is_a_failed_lookup(
    run: Run, names: FakeNames, error: Exception, kind: type[Exception]
) -> None:
    names.error = error

    async def scenario() -> None:
        resolve = SystemResolver()
        for _ in range(2):  # A failure is not cached.
            with pytest.raises(OSError, match=r"unknown|\?") as caught:
                await resolve("nobody.test")
            assert type(caught.value) is kind
        assert len(names.asked) == 2

    run(scenario())


def test_the_threads_of_one_account_are_limited_to_half(
    run: Run, names: FakeNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RESOLUTIONS_MAX", 2)

    async def scenario() -> None:
        resolve = SystemResolver()
        waiting = [asyncio.create_task(resolve(f"slow{n}.test", "AC1")) for n in range(2)]
        await until(lambda: names.asked)
        assert await resolve("fast.test", "AC2") == ("8.8.8.8", "::1")
        assert names.asked == [b"slow0.test", b"fast.test"]
        names.may_answer.set()
        await asyncio.gather(*waiting)
        assert names.asked[-1] == b"slow1.test"

    run(scenario())


def test_without_a_thread_in_time_the_lookup_fails(
    run: Run, names: FakeNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RESOLUTIONS_MAX", 1)
    monkeypatch.setattr(limits, "WEBHOOK_SECONDS_MAX", 0.01)

    async def scenario() -> None:
        resolve = SystemResolver()
        waiting = asyncio.create_task(resolve("slow.test"))
        await until(lambda: names.asked)
        with pytest.raises(TimeoutError):
            await resolve("fast.test")
        assert names.asked == [b"slow.test"]
        names.may_answer.set()
        await waiting
        assert await resolve("fast.test")

    run(scenario())


def test_a_lookup_without_waiting_requests_ends_without_a_warning(
    run: Run, names: FakeNames, caplog: pytest.LogCaptureFixture
) -> None:
    names.error = socket.gaierror(-2, "unknown")

    async def scenario() -> None:
        resolve = SystemResolver()
        given_up = asyncio.create_task(resolve("slow.test"))
        await until(lambda: names.asked)
        given_up.cancel()
        names.may_answer.set()
        await until(lambda: not resolve._running)

    run(scenario())
    assert caplog.messages == []


def test_a_lookup_may_end_after_its_event_loop(names: FakeNames) -> None:
    async def scenario() -> None:
        asyncio.create_task(SystemResolver()("slow.test"))  # noqa: RUF006 - it is abandoned.
        await until(lambda: names.asked)

    asyncio.run(scenario())
    names.may_answer.set()
    (thread,) = [each for each in threading.enumerate() if each.name == "resolver"] or [None]
    if thread is not None:
        thread.join(5)
        assert not thread.is_alive()


def test_a_lookup_cancelled_before_its_result_ignores_it(names: FakeNames) -> None:
    async def scenario() -> None:
        resolve = SystemResolver()
        waiting = asyncio.create_task(resolve("slow.test"))
        await until(lambda: names.asked)
        (lookup,) = resolve._running.values()
        lookup.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert resolve._running == {}
        names.may_answer.set()
        # The thread's result arrives while the loop runs, and has no waiter.
        assert await resolve("fast.test") == ("8.8.8.8", "::1")
        await until(lambda: not any(each.name == "resolver" for each in threading.enumerate()))
        await asyncio.sleep(0)

    asyncio.run(scenario())
