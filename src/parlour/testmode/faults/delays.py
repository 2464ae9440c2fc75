"""Delays of requests and webhooks: bounded in number, in real time, and ended by a reset."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from parlour.operations.open_work import OpenWork
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger()


class Delays:
    """The delays in progress."""

    # A future has the result True once the time has passed, and False if a reset ended the delay:
    # the delayed request must not run then.

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[bool], OpenWork] = {}

    def __len__(self) -> int:
        """Return the number of delays in progress."""
        return len(self._waiting)

    async def wait(self, account_sid: str, delay_ms: int, what: str = "") -> bool:
        """Wait; return False if a reset of the account ended the delay.

        ``what``: the work that follows, which a settlement waits for; empty if there is none.
        Beyond FAULT_DELAYS_MAX delays in progress, return at once.
        """
        if delay_ms <= 0:
            return True
        if len(self._waiting) >= limits.FAULT_DELAYS_MAX:
            log.warning("delay_skipped", in_progress=len(self._waiting))
            return True
        loop = asyncio.get_running_loop()
        passed: asyncio.Future[bool] = loop.create_future()
        self._waiting[passed] = OpenWork(what, account_sid)
        timer = loop.call_later(delay_ms / 1000, _resolve, passed, True)
        try:
            return await passed
        finally:
            timer.cancel()
            del self._waiting[passed]

    def open_work(self) -> Iterator[OpenWork]:
        """Return the delayed work."""
        return (work for work in self._waiting.values() if work.what)

    def forget(self, account_sid: str | None) -> None:
        """End the delays of an account; None: of all accounts."""
        for passed, work in list(self._waiting.items()):
            if account_sid is None or work.account_sid == account_sid:
                _resolve(passed, False)


def _resolve(passed: asyncio.Future[bool], result: bool) -> None:
    if not passed.done():
        passed.set_result(result)
