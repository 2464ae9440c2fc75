"""Slots for media transfers: shared fairly, and taken from slow transfers under contention.

A transfer may take long, so fair shares of the slots (``admission.py``) are not enough: a client
within its share could hold its slots for hours. So whenever a slot is requested and none is free,
the slowest transfer is cut, if it is slow:

=================================  ==========================================================
the new transfer is ...            one of these is cut
=================================  ==========================================================
admitted above the limit           transfers of the owner most above its share
rejected by its account's limit    transfers of members with at least as many as its own member
rejected by a full server          transfers of accounts with at least as many as its own account
=================================  ==========================================================

Slow is below ``TRANSFER_BYTES_PER_SECOND_CONTESTED``, over the last ``TRANSFER_WINDOW_MS`` or more.
A transfer is never cut in its first window. While slots are free, nothing is cut here; a transfer
is then limited by the minimum rate in ``http/streams.py`` only. A rejected client finds the slot of
the transfer that was cut when it retries.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from parlour.operations.admission import Admission, Owner
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from parlour.vocabulary.clock import Clock


class Transfer:
    """A transfer with a slot."""

    __slots__ = ("_clock", "_marks", "bytes_moved", "is_cut", "on_cut", "owner")

    def __init__(self, owner: Owner, clock: Clock) -> None:
        self.owner = owner
        self.is_cut = False
        self.on_cut: Callable[[], None] | None = None
        self.bytes_moved = 0
        self._clock = clock
        # Start time of the previous and the current window, and the bytes moved by then.
        self._marks = ((clock.monotonic_ms(), 0),) * 2

    def moved(self, size: int) -> None:
        """Count sent or received bytes."""
        self._turn_window()
        self.bytes_moved += size

    def _turn_window(self) -> float:
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._marks[1][0] >= limits.TRANSFER_WINDOW_MS:
            self._marks = (self._marks[1], (now_ms, self.bytes_moved))
        return now_ms

    def bytes_per_second(self) -> float | None:
        """Return the rate over the last one to two windows; None in the first one."""
        now_ms = self._turn_window()
        since_ms, bytes_before = self._marks[0]
        elapsed_ms = now_ms - since_ms
        if elapsed_ms < limits.TRANSFER_WINDOW_MS:
            return None
        return (self.bytes_moved - bytes_before) * 1000 / elapsed_ms

    def cut(self) -> None:
        """Abort the transfer by its ``on_cut`` callback."""
        self.is_cut = True
        if self.on_cut is not None:
            self.on_cut()


class Transfers:
    """The slots for transfers of one kind."""

    def __init__(self, clock: Clock, *, in_all_max: int, of_account_max: int) -> None:
        self._clock = clock
        self._admission = Admission(clock, in_all_max=in_all_max, of_account_max=of_account_max)
        self._running: set[Transfer] = set()

    def enter(self, account_sid: str, member: str | None) -> Transfer:
        """Acquire a slot for a transfer. Raises 429 or 503."""
        owner = Owner(account_sid, member)
        try:
            largest = self._admission.enter(*owner)
        except ApiError as error:
            _cut_slowest(self._as_large_as(owner, of_any_account=error.status == 503))
            raise
        if largest is not None:
            _cut_slowest(each for each in self._running if each.owner == largest)
        transfer = Transfer(owner, self._clock)
        self._running.add(transfer)
        return transfer

    def leave(self, transfer: Transfer) -> None:
        """Release the slot."""
        self._running.remove(transfer)
        self._admission.leave(*transfer.owner)

    def _as_large_as(self, owner: Owner, *, of_any_account: bool) -> list[Transfer]:
        """Return the transfers of accounts or members with at least as many as the owner's."""

        def group(of: Owner) -> Hashable:
            return of.account_sid if of_any_account else of

        near = [
            each
            for each in self._running
            if of_any_account or each.owner.account_sid == owner.account_sid
        ]
        counts = Counter(group(each.owner) for each in near)
        return [each for each in near if counts[group(each.owner)] >= counts[group(owner)]]


def _cut_slowest(transfers: Iterable[Transfer]) -> None:
    """Cut the slowest of some transfers, if it is below the contested rate."""
    slowest, slowest_rate = None, float(limits.TRANSFER_BYTES_PER_SECOND_CONTESTED)
    for each in transfers:
        rate = None if each.is_cut else each.bytes_per_second()
        if rate is not None and rate < slowest_rate:
            slowest, slowest_rate = each, rate
    if slowest is not None:
        slowest.cut()
