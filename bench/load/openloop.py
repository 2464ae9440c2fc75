"""An open-loop client: requests at a fixed rate, regardless of earlier ones in flight.

A closed loop waits for responses, so a stalled server gets fewer requests and looks better than it
is. Here each request has a time at which it is due.
"""

from __future__ import annotations

import asyncio
import time
from itertools import cycle, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONNECTIONS = 32


class OfferError(Exception):
    """A request was answered with another status than the expected one."""


def offer(
    port: int, requests: Sequence[bytes], *, rate: float, seconds: float, status: int, first: int
) -> int:
    """Send prepared requests, from the one that is named on; how many were sent."""
    return asyncio.run(_offer(port, requests, rate, seconds, status=status, first=first))


async def _offer(
    port: int, requests: Sequence[bytes], rate: float, seconds: float, *, status: int, first: int
) -> int:
    count = round(rate * seconds)
    waiting: asyncio.Queue[bytes | None] = asyncio.Queue(count + CONNECTIONS)
    start = time.perf_counter()
    async with asyncio.TaskGroup() as senders:
        for _ in range(CONNECTIONS):
            senders.create_task(_send(port, waiting, status))
        for number, request in enumerate(islice(cycle(requests), first, first + count)):
            await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
            waiting.put_nowait(request)
        for _ in range(CONNECTIONS):
            waiting.put_nowait(None)
    return count


async def _send(port: int, waiting: asyncio.Queue[bytes | None], status: int) -> None:
    """One connection: the next request that is due, until there is no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (request := await waiting.get()) is not None:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        length = next(line for line in lines if line.startswith("content-length:"))
        body = await reader.readexactly(int(length.partition(":")[2]))
        if int(lines[0].split()[1]) != status:
            raise OfferError(f"{lines[0]} {body[:500]!r}")
    writer.close()
