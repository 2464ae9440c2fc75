"""Delays of requests and webhooks: bounded in number, in real time, and ended by a reset."""

from __future__ import annotations

import asyncio

import structlog

from parlour.vocabulary import limits

log = structlog.get_logger()


class Delays:
    """The delays in progress."""

    # A future has the result True once the time has passed, and False if a reset ended the delay:
    # the delayed request must not run then.

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[bool], str] = {}

    def __len__(self) -> int:
        """Return the number of delays in progress."""
        return len(self._waiting)

    async def wait(self, account_sid: str, delay_ms: int) -> bool:
        """Wait; return False if a reset of the account ended the delay.

        Beyond FAULT_DELAYS_MAX delays in progress, return at once.
        """
        if delay_ms <= 0:
            return True
        if len(self._waiting) >= limits.FAULT_DELAYS_MAX:
            log.warning("delay_skipped", in_progress=len(self._waiting))
            return True
        loop = asyncio.get_running_loop()
        passed: asyncio.Future[bool] = loop.create_future()
        self._waiting[passed] = account_sid
        timer = loop.call_later(delay_ms / 1000, _resolve, passed, True)
        try:
            return await passed
        finally:
            timer.cancel()
            del self._waiting[passed]

    def forget(self, account_sid: str | None) -> None:
        """End the delays of an account; None: of all accounts."""
        for passed, owner in list(self._waiting.items()):
            if account_sid is None or owner == account_sid:
                _resolve(passed, False)


def _resolve(passed: asyncio.Future[bool], result: bool) -> None:
    if not passed.done():
        passed.set_result(result)
