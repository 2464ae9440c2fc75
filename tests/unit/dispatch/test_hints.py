"""Hints between nodes: publication, reception, and reconnects of both tasks after any error."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

import pytest
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from parlour.dispatch import hints
from parlour.dispatch.hints import CHANNEL, TYPING_CHANNEL, Hints

if TYPE_CHECKING:
    from collections.abc import Callable

Message = dict[str, Any]


class FakeRedis:
    """A server, and the client and the subscription of each connection; failures are prepared."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        """Raised by the next publications."""
        self.published: list[tuple[str, bytes]] = []
        self.queued: list[tuple[str, bytes]] = []
        self.received: list[Message | Exception | None] = []
        """Received by the subscriber: messages, errors, and None for silence."""
        self.subscriptions = 0
        self.pings = 0
        self.open_clients = 0

    async def __aenter__(self) -> Self:
        self.open_clients += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self.open_clients -= 1

    def pipeline(self, *, transaction: bool) -> FakeRedis:
        assert not transaction
        self.queued = []
        return self

    def publish(self, channel: str, data: bytes) -> None:
        self.queued.append((channel, data))

    async def execute(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.published += self.queued

    def pubsub(self) -> Subscription:
        return Subscription(self)


class Subscription:
    """A subscription of a connection."""

    def __init__(self, server: FakeRedis) -> None:
        self.server = server

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def subscribe(self, *channels: str) -> None:
        assert channels == (CHANNEL, TYPING_CHANNEL)
        self.server.subscriptions += 1

    async def get_message(self, timeout: float) -> Message | None:  # noqa: ASYNC109 - as Redis.
        del timeout
        if not self.server.received:
            await asyncio.Event().wait()
        found = self.server.received.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async def ping(self) -> None:
        self.server.pings += 1


class Node:
    """One node with its hints, and what they called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.redis = FakeRedis()
        self.wakes = 0
        self.typed: list[bytes] = []
        self.hints = Hints("redis://nowhere", "here", self._wake, self.typed.append)
        monkeypatch.setattr(self.hints, "_client", lambda: self.redis)

    def _wake(self) -> None:
        self.wakes += 1

    def play(self, until: Callable[[], object], *steps: Callable[[], object]) -> list[Any]:
        """Run the hints and these steps until a condition; return the log."""

        async def run() -> None:
            self.hints.start()
            for step in steps:
                step()
                await asyncio.sleep(0.005)
            async with asyncio.timeout(10):
                while not until():  # noqa: ASYNC110 - a condition has no event.
                    await asyncio.sleep(0.001)
            await self.hints.stop()

        with capture_logs() as logged:
            asyncio.run(run())
        assert self.redis.open_clients == 0
        return [(each["event"], each["log_level"]) for each in logged]


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node whose reconnects follow at once."""
    monkeypatch.setattr(hints, "_SECONDS", 0.001)
    return Node(monkeypatch)


def message(channel: str, data: bytes, kind: str = "message") -> Message:
    return {"type": kind, "channel": channel.encode(), "data": data}


def test_commits_at_once_are_one_hint(node: Node) -> None:
    def commit_twice() -> None:
        node.hints.committed()
        node.hints.committed()

    assert node.play(lambda: node.redis.published, commit_twice) == []
    assert node.redis.published == [(CHANNEL, b"here")]


def test_typing_is_published_with_the_name_of_the_node(node: Node) -> None:
    node.play(lambda: node.redis.published, lambda: node.hints.publish_typing(b"typed"))
    assert node.redis.published == [(TYPING_CHANNEL, b"here typed")]


@pytest.mark.parametrize(
    ("error", "level"),
    [(RedisError("gone"), "warning"), (TimeoutError(), "warning"), (ValueError("bug"), "error")],
    ids=repr,
)
def test_publisher_reconnects_after_any_error_and_logs_it(
    node: Node, error: Exception, level: str
) -> None:
    node.redis.failures = [error]
    logged = node.play(
        lambda: node.redis.published,
        node.hints.committed,
        lambda: node.hints.publish_typing(b"later"),
    )
    assert logged == [("hint_publish_failed", level)]
    # The hint of the failed publication is lost: readers poll.
    assert node.redis.published == [(TYPING_CHANNEL, b"here later")]


@pytest.mark.parametrize(
    ("error", "level"),
    [(RedisError("gone"), "warning"), (OSError("gone"), "warning"), (ValueError("bug"), "error")],
    ids=repr,
)
def test_subscriber_reconnects_after_any_error_and_wakes_the_readers(
    node: Node, error: Exception, level: str
) -> None:
    node.redis.received = [error]
    logged = node.play(lambda: node.wakes == 2)
    assert logged == [("hint_subscription_failed", level)]
    assert node.redis.subscriptions == 2


def test_hints_of_other_nodes_wake_the_readers_and_own_ones_do_not(node: Node) -> None:
    node.redis.received = [
        message(CHANNEL, b"1", "subscribe"),
        message(CHANNEL, b"here"),
        message(CHANNEL, b"there"),
        message(TYPING_CHANNEL, b"here mine"),
        message(TYPING_CHANNEL, b"there theirs, with spaces"),
    ]
    node.play(lambda: node.typed)
    assert node.typed == [b"theirs, with spaces"]
    assert node.wakes == 2  # After the subscription, and for the hint of the other node.


def test_silence_is_pinged_once_and_then_a_timeout(node: Node) -> None:
    node.redis.received = [None, message(CHANNEL, b"here"), None, None]
    logged = node.play(lambda: node.redis.subscriptions == 2)
    assert logged == [("hint_subscription_failed", "warning")]
    assert node.redis.pings == 2
