"""Hints between nodes, by way of Redis or Valkey: somebody committed something, look now.

A hint says nothing but that. The event log is the truth, and every reader looks at it by itself
several times a second; so whatever becomes of Redis costs some of that time, and no event. No
request waits for it: hints are sent and heard in the background, many commits in one hint.

What is no event goes this way alone: that somebody types. It is told within a moment or never.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog
from redis import asyncio as redis
from redis.exceptions import RedisError

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger()

CHANNEL: Final = "parlour:commits"
TYPING_CHANNEL: Final = "parlour:typing"

_BROKEN: Final = (RedisError, OSError, TimeoutError)
_SECONDS: Final = limits.HINT_MS_MAX / 1000


class Hints:
    """Tells other nodes of commits, and this one of theirs."""

    def __init__(
        self,
        url: str,
        node: str,
        wake: Callable[[], None],
        typed: Callable[[bytes], None],
    ) -> None:
        """``wake`` is called when another node committed something, ``typed`` with what it tells.

        That is who types there, as ``publish_typing`` was given it.
        """
        self._url = url
        self._node = node.encode()
        self._wake = wake
        self._typed = typed
        self._typing: deque[bytes] = deque(maxlen=limits.TYPING_QUEUE_MAX)
        self._committed = False
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin. Redis need not be there yet."""
        loops = (self._tell(), self._listen())
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    def committed(self) -> None:
        """This node committed something: say so, soon. Never waits."""
        self._committed = True
        self._news.set()

    def publish_typing(self, said: bytes) -> None:
        """Tell other nodes who types here; the oldest is forgotten when there is too much."""
        self._typing.append(said)
        self._news.set()

    async def stop(self) -> None:
        """End."""
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

    async def _tell(self) -> None:
        client = self._client()
        while True:  # Ends when it is cancelled.
            await self._news.wait()
            self._news.clear()
            try:
                async with asyncio.timeout(_SECONDS):
                    await self._publish(client)
            except _BROKEN as error:
                log.warning("hint_publish_failed", error=repr(error))
                with suppress(*_BROKEN):
                    await client.aclose()
                client = self._client()
                await asyncio.sleep(_SECONDS)
            # Commits come in crowds: one hint is enough for all that follow at once.
            await asyncio.sleep(limits.HINT_PAUSE_MS / 1000)

    async def _publish(self, client: redis.Redis) -> None:
        """Send what there is to say, in one go."""
        pipeline = client.pipeline(transaction=False)
        while self._typing:
            pipeline.publish(TYPING_CHANNEL, self._node + b" " + self._typing.popleft())
        if self._committed:
            self._committed = False
            pipeline.publish(CHANNEL, self._node)
        await pipeline.execute()

    async def _listen(self) -> None:
        while True:  # Ends when it is cancelled.
            try:
                async with self._client() as client, client.pubsub() as heard:
                    await heard.subscribe(CHANNEL, TYPING_CHANNEL)
                    self._wake()  # What was said meanwhile was not heard.
                    await self._hear(heard)
            except _BROKEN as error:
                log.warning("hint_subscription_failed", error=repr(error))
                await asyncio.sleep(_SECONDS)

    async def _hear(self, heard: redis.client.PubSub) -> None:
        is_asked = False
        while True:  # Ends when the connection breaks or is silent, or it is cancelled.
            said = await heard.get_message(timeout=_SECONDS)
            if said is None:
                if is_asked:
                    # Somebody swallows it all, and the kernel would not notice for minutes.
                    raise TimeoutError("Redis does not answer")
                await heard.ping()
                is_asked = True
                continue
            is_asked = False
            if said["type"] != "message":
                continue
            node, _, typed = said["data"].partition(b" ")
            if node != self._node:
                if said["channel"] == TYPING_CHANNEL.encode():
                    self._typed(typed)
                else:
                    self._wake()
