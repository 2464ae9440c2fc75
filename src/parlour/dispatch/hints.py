"""Hints between nodes, through Redis or Valkey: a node committed a transaction, so poll now.

A hint contains only the sender's name. The event log is the source of truth, and every reader polls
it several times a second, so an outage of Redis costs some latency and no event. No request waits
for a hint: they are published and received in the background, one hint for many commits.

Typing notifications are no events and are published here alone: at once or never.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from redis import asyncio as redis
from redis.exceptions import RedisError

from parlour.vocabulary import limits
from parlour.vocabulary.failure_log import failures_logged

if TYPE_CHECKING:
    from collections.abc import Callable

CHANNEL: Final = "parlour:commits"
TYPING_CHANNEL: Final = "parlour:typing"

_BROKEN: Final = (RedisError, OSError, TimeoutError)
_SECONDS: Final = limits.HINT_MS_MAX / 1000


class Hints:
    """Publishes the commits of this node, and receives the commits of other nodes."""

    # Two tasks with a connection each, which reconnect ``_SECONDS`` after an error. Hints during an
    # outage are lost, so the subscriber wakes the readers once after each reconnect.

    def __init__(
        self,
        url: str,
        node: str,
        wake: Callable[[], None],
        typed: Callable[[bytes], None],
    ) -> None:
        """``wake`` is called after a commit of another node, ``typed`` with its typing payloads."""
        self._url = url
        self._node = node.encode()
        self._wake = wake
        self._typed = typed
        self._typing: deque[bytes] = deque(maxlen=limits.TYPING_QUEUE_MAX)
        self._committed = False
        self._publish_wanted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start. Redis need not be available yet."""
        loops = (self._run_publisher(), self._run_subscriber())
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    def committed(self) -> None:
        """Publish a commit of this node, soon. Never waits."""
        self._committed = True
        self._publish_wanted.set()

    def publish_typing(self, payload: bytes) -> None:
        """Publish a typing payload; the oldest in the queue is dropped when it is full."""
        self._typing.append(payload)
        self._publish_wanted.set()

    async def stop(self) -> None:
        """Cancel the tasks and wait for their end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(
            self._url,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry_on_timeout=False,
        )

    async def _run_publisher(self) -> None:
        while True:  # Ends when it is cancelled.
            with failures_logged("hint_publish_failed", *_BROKEN):
                async with self._client() as client:
                    await self._publish_commits(client)
            await asyncio.sleep(_SECONDS)

    async def _publish_commits(self, client: redis.Redis) -> None:
        while True:  # Ends with an error.
            await self._publish_wanted.wait()
            self._publish_wanted.clear()
            async with asyncio.timeout(_SECONDS):
                await self._publish(client)
            # Commits come in bursts: one hint is enough for all that follow at once.
            await asyncio.sleep(limits.HINT_PAUSE_MS / 1000)

    async def _publish(self, client: redis.Redis) -> None:
        """Publish the queue in one pipeline."""
        pipeline = client.pipeline(transaction=False)
        while self._typing:
            pipeline.publish(TYPING_CHANNEL, self._node + b" " + self._typing.popleft())
        if self._committed:
            self._committed = False
            pipeline.publish(CHANNEL, self._node)
        await pipeline.execute()

    async def _run_subscriber(self) -> None:
        while True:  # Ends when it is cancelled.
            with failures_logged("hint_subscription_failed", *_BROKEN):
                async with self._client() as client, client.pubsub() as pubsub:
                    await pubsub.subscribe(CHANNEL, TYPING_CHANNEL)
                    self._wake()  # Hints published in the meantime were missed.
                    await self._receive(pubsub)
            await asyncio.sleep(_SECONDS)

    async def _receive(self, pubsub: redis.client.PubSub) -> None:
        is_pinged = False
        while True:  # Ends when the connection breaks or times out, or it is cancelled.
            received = await pubsub.get_message(timeout=_SECONDS)
            if received is None:
                if is_pinged:
                    # The connection is dead, and the kernel would not notice for minutes.
                    raise TimeoutError("Redis does not answer")
                await pubsub.ping()
                is_pinged = True
                continue
            is_pinged = False
            if received["type"] != "message":
                continue
            node, _, typed = received["data"].partition(b" ")
            if node != self._node:
                if received["channel"] == TYPING_CHANNEL.encode():
                    self._typed(typed)
                else:
                    self._wake()
