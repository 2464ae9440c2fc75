"""Holds the requests of an account that come during its reset.

A request that came before runs to its end; one that comes later finds the account as the reset
leaves it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class ResetGate:
    """The gate of all accounts; it is closed for some of them at a time."""

    def __init__(self) -> None:
        self._is_closed: Callable[[str], bool] | None = None
        self._opened: asyncio.Future[None] | None = None
        self._waiting: Counter[str] = Counter()

    async def wait(self, account_sid: str) -> bool:
        """Wait until the gate is open for an account; return whether it was closed."""
        # Futures only: the request may run without a task (http/eager.py).
        was_closed = False
        while self._is_closed is not None and self._is_closed(account_sid):
            assert self._opened is not None
            self._waiting[account_sid] += 1
            try:
                await asyncio.shield(self._opened)
            finally:
                self._waiting[account_sid] -= 1
            was_closed = True
        return was_closed

    def waiting(self, account_sid: str | None) -> int:
        """Return how many requests of an account wait, or of all."""
        return self._waiting.total() if account_sid is None else self._waiting[account_sid]

    @contextmanager
    def closed(self, accounts: Callable[[str], bool]) -> Iterator[None]:
        """Close the gate for some accounts during the block. Not twice at a time."""
        assert self._is_closed is None
        opened = asyncio.get_running_loop().create_future()
        self._is_closed, self._opened = accounts, opened
        try:
            yield
        finally:
            self._is_closed = self._opened = None
            self._waiting = +self._waiting
            opened.set_result(None)
