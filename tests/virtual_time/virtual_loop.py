"""An event loop with virtual time, a store that commits synchronously, and a webhook world."""

from __future__ import annotations

import asyncio
import selectors
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Self

from parlour.delivery.attempts import SigningCache, WebhookClient
from parlour.delivery.cpu_throttle import CpuThrottle
from parlour.delivery.webhook_sink import WebhookSink
from parlour.egress.client import OutboundResponse
from parlour.protocol.vault import KEY_BYTES, Vault
from parlour.resources import account_setup
from parlour.resources.webhook_attempts.actions import replay_range
from parlour.resources.webhook_attempts.store import AttemptFilters, attempt_sid_at
from parlour.resources.webhook_configuration import store as webhook_configuration_store
from parlour.resources.webhook_configuration.store import WebhookConfiguration
from parlour.store import event_log
from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.event_names import ON_USER_ADDED
from parlour.vocabulary.origin import Origin
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from types import TracebackType

    from parlour.delivery.term import DeliveryTerm
    from parlour.egress.client import OutboundRequest
    from parlour.resources.webhook_attempts.store import WebhookAttempt
    from parlour.store.transaction import Transaction

ACCOUNT = "AC" + "0" * 31 + "1"
SERVICE = "IS" + "0" * 31 + "1"
AUTH_TOKEN = "a token of tests"
URL = "http://127.0.0.1:9/hook"


class _Jumps(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """A selector that advances the clock instead of waiting."""

    clock: FakeClock

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            # A little more than requested, so that the timer is due in whole milliseconds.
            self.clock.advance(int(timeout * 1000) + 1)
        return ready


def virtual_loop(clock: FakeClock) -> asyncio.AbstractEventLoop:
    """An event loop on this clock."""
    selector = _Jumps()
    selector.clock = clock
    loop = asyncio.SelectorEventLoop(selector)
    begun_ms = clock.monotonic_ms()
    # From zero: a timer that is due now must not be lost in the rounding of a large number.
    loop.time = lambda: (clock.monotonic_ms() - begun_ms) / 1000  # type: ignore[method-assign]
    loop._clock_resolution = 1e-6  # type: ignore[attr-defined]
    return loop


class ImmediateStore:
    """Runs a commit synchronously: a thread has no virtual time."""

    def submit(self, work: Callable[[], None]) -> Future[None]:
        done: Future[None] = Future()
        try:
            work()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)
        return done

    def shutdown(self) -> None:
        """Do nothing: no thread is running."""


Answer = int | tuple[int, dict[str, str]] | Exception


class WebhookWorld:
    """One account with one webhook, and a receiver that is a function of the request."""

    def __init__(self, path: Path, clock: FakeClock) -> None:
        self.clock = clock
        self.random = SystemRandom()
        self.store = SqliteStore(path, clock, self.random, synchronous="OFF")
        self.store._commits = ImmediateStore()  # type: ignore[assignment]
        self.vault = Vault(b"k" * KEY_BYTES, self.random.token)
        self.sent: list[tuple[int, OutboundRequest]] = []
        self.answer: Callable[[OutboundRequest], Awaitable[Answer]] = self._ok
        self.sink = self._sink()

    def _sink(self) -> WebhookSink:
        signer = SigningCache(self.store, self.vault, self.clock, "durable")
        attempts = WebhookClient(self._send, signer, self.clock, self.random)
        throttle = CpuThrottle(self.clock, lambda: False)
        return WebhookSink(self.store, attempts, throttle, self.clock, self.random)

    async def __aenter__(self) -> Self:
        async def make(tx: Transaction) -> None:
            if await tx.one("SELECT sid FROM account WHERE sid = $1", ACCOUNT) is None:
                await account_setup.create_account(
                    tx, self.vault, sid=ACCOUNT, auth_token=AUTH_TOKEN, friendly_name="Tests"
                )
                await self._listen(tx, URL)

        await self.store.write(make)
        await self.sink.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.sink.stop()
        await self.store.close()

    @property
    def term(self) -> DeliveryTerm:
        """Return the state that the sink has in memory."""
        assert self.sink.term is not None
        return self.sink.term

    async def crash(self) -> None:
        """Drop everything in memory; another sink continues from the disk."""
        await self.sink.abort()
        self.sink = self._sink()
        await self.sink.start()

    @staticmethod
    async def _listen(tx: Transaction, url: str) -> None:
        configuration = WebhookConfiguration(
            ACCOUNT, None, url, "POST", f'["{ON_USER_ADDED}"]', "webhook"
        )
        await tx.lock_name("settings", ACCOUNT)
        await webhook_configuration_store.save_webhook_configuration(
            tx, Scope(ACCOUNT), configuration
        )

    async def listen(self, url: str) -> None:
        """Send what comes from now on to this URL."""
        await self.store.write(lambda tx: self._listen(tx, url))

    async def emit_events(self, count: int, subject: str = "US" + "0" * 32) -> None:
        """Write events, and pass them to the sink as the dispatcher does."""

        async def emit(tx: Transaction) -> None:
            for number in range(count):
                user = {"sid": subject, "identity": f"user {number}", "attributes": "{}"}
                await tx.emit(
                    Scope(ACCOUNT, SERVICE),
                    ON_USER_ADDED,
                    subject_sid=subject,
                    payload={"user": user},
                    origin=Origin(fires=True),
                )

        before = await self.store.read(event_log.visible_through)
        await self.store.write(emit)
        await self.take_after(before)

    async def replay(self) -> None:
        """Replay all events of the log, and pass them to the sink."""
        before = await self.store.read(event_log.visible_through)
        scope, now_ms = Scope(ACCOUNT), self.clock.now_ms() + 1
        filters = AttemptFilters(before_sid=attempt_sid_at(now_ms))
        await self.store.write(lambda tx: replay_range(tx, scope, filters, "", now_ms))
        await self.take_after(before)

    async def take_after(self, sequence: int) -> None:
        """Pass the sink the events after a number."""
        found = await self.store.read(lambda tx: event_log.read_after(tx, sequence, 100_000))
        await self.sink.handle([event for event in found if self.sink.wants(event)])

    async def _send(self, request: OutboundRequest) -> OutboundResponse:
        self.sent.append((self.clock.now_ms(), request))
        answer = await self.answer(request)
        if isinstance(answer, Exception):
            raise answer
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return OutboundResponse(status, tuple(headers.items()), b"said", 1, is_truncated=False)

    @staticmethod
    async def _ok(_request: OutboundRequest) -> Answer:
        return 200

    async def states(self) -> dict[str, int]:
        """Return the number of deliveries in each state."""
        text = "SELECT state, COUNT(*) FROM webhook_delivery GROUP BY state"
        return {row[0]: row[1] for row in await self.store.read(lambda tx: tx.all(text))}

    async def log(self) -> list[WebhookAttempt]:
        """Return every attempt in the log, oldest first."""
        from parlour.resources.webhook_attempts.store import WebhookAttempt  # noqa: PLC0415

        names = ", ".join(WebhookAttempt.__struct_fields__)
        text = f"SELECT {names} FROM webhook_attempt ORDER BY sid"
        rows = await self.store.read(lambda tx: tx.all(text))
        return [WebhookAttempt(*row) for row in rows]

    async def settle(self, hours: float) -> None:
        """Advance virtual time."""
        await asyncio.sleep(hours * 3600)


def event_label(request: OutboundRequest) -> dict[str, str]:
    """Return the parameters of a posted form."""
    from urllib.parse import parse_qsl  # noqa: PLC0415

    return dict(parse_qsl(request.body.decode()))


def run_scenario(path: Path, scenario: Callable[[WebhookWorld], Awaitable[None]]) -> float:
    """Run a scenario in virtual time; the virtual hours that it took."""
    clock = FakeClock()
    start_ms = clock.now_ms()

    async def run() -> None:
        async with WebhookWorld(path, clock) as world:
            await scenario(world)

    with asyncio.Runner(loop_factory=lambda: virtual_loop(clock)) as runner:
        runner.run(run())
    return (clock.now_ms() - start_ms) / 3_600_000
