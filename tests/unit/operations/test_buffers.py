"""The buffer pool: a model of its accounting, and the rules of cutting exchanges."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from parlour.operations.buffers import BufferPool, Reservation
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

TOTAL, STRANGERS = 120, 20
HOUR_MS = 3_600_000  # No wait times out.
ACCOUNTS_ROOM = TOTAL - STRANGERS
OWNERS = st.sampled_from(
    [("AC1", ""), ("AC1", "ann"), ("AC1", "bob"), ("AC2", ""), ("AC2", "ann"), ("AC3", "")]
)
PEERS = st.sampled_from(["10.0.0.1", "10.0.0.2"])
SIZES = st.integers(0, 60)


class ModelReservation:
    """What the model knows of one reservation."""

    def __init__(self, owner: tuple[str, str]) -> None:
        self.owner = owner
        self.held = 0
        self.is_open = True
        self.reservation: Reservation
        self.waiting: asyncio.Task[bool] | None = None


class Pool(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pool = BufferPool(TOTAL, STRANGERS, HOUR_MS)
        self.exchanges: list[ModelReservation] = []
        self.asking: tuple[ModelReservation, tuple[str, str], int] | None = None
        self.runner = asyncio.Runner()

    def teardown(self) -> None:
        for each in self.exchanges:
            each.reservation.close()
        assert self.pool.used == 0
        assert not self.pool.authenticated.active
        assert not self.pool._accounts
        self.runner.close()

    # --- The model ----------------------------------------------------------------------------

    def of_account(self, sid: str) -> int:
        return sum(each.held for each in self.exchanges if each.owner[0] == sid)

    def of_user(self, owner: tuple[str, str]) -> int:
        return sum(each.held for each in self.exchanges if each.owner == owner)

    def active_accounts(self, asking: str) -> int:
        return len({e.owner[0] for e in self.exchanges if e.held and e.owner[0]} | {asking})

    def is_within_share(self, owner: tuple[str, str], size: int) -> bool:
        capacity = ACCOUNTS_ROOM // self.active_accounts(owner[0])
        return self.of_account(owner[0]) + size <= capacity

    def is_cut(self, exchange: ModelReservation) -> None:
        """The pool cut an exchange: only fairness allows that."""
        assert exchange.held > 0
        assert exchange.is_open
        if self.asking is not None:
            asking, owner, size = self.asking
            assert asking is not exchange
            victim_sid = exchange.owner[0]
            if victim_sid and victim_sid != owner[0]:
                share = ACCOUNTS_ROOM // self.active_accounts(owner[0])
                before = self.of_account(victim_sid)
                assert before > share
                assert self.of_account(owner[0]) + size <= max(share, before - size)
                others = {e.owner[0] for e in self.exchanges if e.owner[0]} - {owner[0]}
                assert before == max(map(self.of_account, others))
            elif victim_sid:
                assert self.of_user(exchange.owner) >= self.of_user(owner)
                assert exchange.owner != owner
        same = [e.reservation.tick for e in self.exchanges if e.owner == exchange.owner and e.held]
        assert exchange.reservation.tick == min(
            tick for tick in same if self.asking is None or tick != self.asking[0].reservation.tick
        )
        exchange.held = 0
        exchange.is_open = False

    def reserve(
        self,
        exchange: ModelReservation,
        owner: tuple[str, str],
        size: int,
        work: Callable[[], bool],
    ) -> bool:
        self.asking = (exchange, owner, size)
        try:
            return work()
        finally:
            self.asking = None
            self.settle()

    def settle(self) -> None:
        """Let waiters that got their bytes continue."""

        async def turns() -> None:
            for _ in range(10):
                await asyncio.sleep(0)

        self.runner.run(turns())

    def pick(self, number: int) -> ModelReservation:
        there = [each for each in self.exchanges if each.is_open and each.waiting is None]
        return there[number % len(there)] if there else self.open(("", "10.0.0.1"))

    def open(self, owner: tuple[str, str]) -> ModelReservation:
        exchange = ModelReservation(owner)
        exchange.reservation = self.pool.open(lambda: self.is_cut(exchange), *owner)
        self.exchanges.append(exchange)
        return exchange

    # --- The steps ----------------------------------------------------------------------------

    @rule(owner=OWNERS)
    def open_of_account(self, owner: tuple[str, str]) -> None:
        self.open(owner)

    @rule(peer=PEERS)
    def open_of_stranger(self, peer: str) -> None:
        self.open(("", peer))

    @rule(number=st.integers(0, 50), size=SIZES)
    def grow(self, number: int, size: int) -> None:
        exchange = self.pick(number)
        owner = exchange.owner
        is_due = bool(owner[0]) and self.is_within_share(owner, size)
        if self.reserve(exchange, owner, size, lambda: exchange.reservation.grow(size)):
            exchange.held += size
        else:
            assert not is_due
            assert exchange.is_open

    @rule(number=st.integers(0, 50), size=SIZES)
    def wait(self, number: int, size: int) -> None:
        exchange = self.pick(number)

        async def wait() -> bool:
            is_granted = await exchange.reservation.wait(size)
            exchange.held += size * is_granted
            exchange.waiting = None
            return is_granted

        exchange.waiting = self.runner.get_loop().create_task(wait())
        self.reserve(exchange, exchange.owner, size, lambda: self.settle() is None)

    @rule(number=st.integers(0, 50), size=SIZES)
    def resize(self, number: int, size: int) -> None:
        exchange = self.pick(number)
        more = max(size - exchange.held, 0)
        if self.reserve(exchange, exchange.owner, more, lambda: exchange.reservation.resize(size)):
            exchange.held = size

    @rule(number=st.integers(0, 50), owner=OWNERS)
    def assign(self, number: int, owner: tuple[str, str]) -> None:
        exchange = self.pick(number)
        is_due = bool(exchange.owner[0]) or self.is_within_share(owner, exchange.held)
        work = lambda: exchange.reservation.assign(*owner)  # noqa: E731
        if self.reserve(exchange, owner, exchange.held, work):
            exchange.owner = owner
        else:
            assert not is_due

    @rule(number=st.integers(0, 50))
    def progress(self, number: int) -> None:
        self.pick(number).reservation.progress()

    @precondition(lambda self: any(each.held for each in self.exchanges))
    @rule(number=st.integers(0, 50))
    def shrink(self, number: int) -> None:
        holding = [each for each in self.exchanges if each.held and each.waiting is None]
        if holding:
            exchange = holding[number % len(holding)]
            size = (exchange.held + 1) // 2
            exchange.held -= size
            exchange.reservation.shrink(size)
            self.settle()

    @rule(number=st.integers(0, 50))
    def close(self, number: int) -> None:
        exchange = self.pick(number)
        exchange.held = 0
        exchange.is_open = False
        exchange.reservation.close()
        self.settle()

    # --- What always holds --------------------------------------------------------------------

    @invariant()
    def sums_agree(self) -> None:
        pool = self.pool
        assert pool.authenticated.used <= ACCOUNTS_ROOM
        assert pool.unauthenticated.used <= STRANGERS
        assert pool.unauthenticated.used == self.of_account("")
        assert pool.used == sum(each.held for each in self.exchanges)
        active = {account.sid: account for account in pool.authenticated.active}
        assert set(active) == {e.owner[0] for e in self.exchanges if e.held and e.owner[0]}
        for sid, account in active.items():
            assert account.used == self.of_account(sid)
            for user in account.active:
                assert user.used == self.of_user((sid, user.identity)) > 0

    @invariant()
    def no_waiter_is_passed_over(self) -> None:
        for shares in (self.pool.authenticated, self.pool.unauthenticated):
            waiting = [each for each in shares.waiters if each.reservation.is_open]
            if waiting:
                first = min(waiting, key=lambda each: each.order())
                assert shares.used + first.size > shares.capacity


TestPool = Pool.TestCase
TestPool.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)


def opened(pool: BufferPool, size: int, *owner: str) -> tuple[Reservation, list[bool]]:
    """A reservation that holds so much, and a list that is not empty once it was cut."""
    cuts: list[bool] = []
    reservation = pool.open(lambda: cuts.append(True), *owner)
    assert reservation.grow(size)
    return reservation, cuts


def test_account_below_its_share_gets_space_from_the_slowest_of_the_largest_user() -> None:
    pool = BufferPool(TOTAL, STRANGERS)
    _, cuts_of_small = opened(pool, 10, "AC1", "small")
    first, cuts_of_first = opened(pool, 45, "AC1", "large")
    _, cuts_of_second = opened(pool, 45, "AC1", "large")
    first.progress()
    opened(pool, 40, "AC2")
    assert (cuts_of_small, cuts_of_first, cuts_of_second) == ([], [], [True])
    assert pool.authenticated.cuts == 1


def test_largest_owner_is_refused_and_nothing_is_cut() -> None:
    pool = BufferPool(TOTAL, STRANGERS)
    _, cuts_of_other = opened(pool, 40, "AC1")
    largest, cuts = opened(pool, 60, "AC2")
    assert not largest.grow(1)
    assert not pool.open(lambda: None, "AC2").grow(1)
    assert (cuts, cuts_of_other, pool.authenticated.refusals) == ([], [], 2)


def test_full_unauthenticated_partition_cuts_the_oldest_regardless_of_progress() -> None:
    pool = BufferPool(TOTAL, STRANGERS)
    oldest, cuts = opened(pool, 10, "", "10.0.0.1")
    opened(pool, 10, "", "10.0.0.1")
    oldest.progress()
    opened(pool, 10, "", "10.0.0.1")
    assert cuts == [True]
    assert not oldest.grow(1)


def test_unauthenticated_peers_take_nothing_from_accounts() -> None:
    pool = BufferPool(TOTAL, STRANGERS)
    _, cuts = opened(pool, ACCOUNTS_ROOM, "AC1")
    for _ in range(100):
        pool.open(lambda: None).grow(STRANGERS)
    assert not pool.open(lambda: None).grow(STRANGERS + 1)
    assert cuts == []


def test_waiters_get_free_space_the_smallest_owner_first() -> None:
    async def run() -> list[str]:
        pool = BufferPool(TOTAL, STRANGERS)
        held, _ = opened(pool, 34, "AC1")
        opened(pool, 33, "AC2")
        opened(pool, 33, "AC3")
        order: list[str] = []

        async def wait(sid: str) -> bool:
            is_granted = await pool.open(lambda: None, sid).wait(20)
            order.append(sid)
            return is_granted

        waits = [asyncio.create_task(wait(sid)) for sid in ("AC1", "AC3", "AC2")]
        await asyncio.sleep(0)
        held.shrink(20)  # Now AC1 is the smallest.
        await asyncio.sleep(0.01)
        for each in waits:
            each.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        return order

    assert asyncio.run(run()) == ["AC1"]


def test_wait_timeout_cuts_own_exchange_only_without_progress() -> None:
    async def run() -> tuple[bool, bool, list[bool]]:
        pool = BufferPool(TOTAL, STRANGERS)
        held, cuts = opened(pool, ACCOUNTS_ROOM, "AC1")
        waiting = asyncio.create_task(pool.open(lambda: None, "AC1").wait(10))
        await asyncio.sleep(0.01)
        held.progress()
        before = await waiting
        return before, await pool.open(lambda: None, "AC1").wait(10), cuts

    assert asyncio.run(run()) == (False, True, [True])


def test_the_pool_polls_progress_before_it_cuts_an_exchange() -> None:
    """Of two slow readers the one goes of which nothing has moved, although its turn came later."""

    async def run() -> list[str]:
        pool, cut, requested = BufferPool(TOTAL, STRANGERS), [], 0

        def moves() -> bool:
            nonlocal requested
            requested += 1
            return True

        reader = pool.open(lambda: cut.append("reader"), "AC1", has_moved=moves)
        reader.grow(ACCOUNTS_ROOM // 2)
        stalled = pool.open(lambda: cut.append("stalled"), "AC1", has_moved=lambda: False)
        stalled.grow(ACCOUNTS_ROOM // 2)
        assert await pool.open(lambda: None, "AC1").wait(10)
        assert requested >= 2  # When the wait begins, and when it ends.
        return cut

    assert asyncio.run(run()) == ["stalled"]


def test_cancelled_wait_reserves_nothing() -> None:
    async def run() -> int:
        pool = BufferPool(TOTAL, STRANGERS)
        held, _ = opened(pool, ACCOUNTS_ROOM, "AC1")
        waiting = asyncio.create_task(pool.open(lambda: None, "AC1").wait(10))
        await asyncio.sleep(0)
        held.close()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert not pool.authenticated.waiters
        return pool.used

    assert asyncio.run(run()) == 0


def test_too_many_waiters_refuse_the_largest_owner() -> None:
    async def run() -> tuple[bool, int]:
        pool = BufferPool(TOTAL, STRANGERS, HOUR_MS)
        opened(pool, 60, "AC1")
        opened(pool, 40, "AC2")
        large = [
            asyncio.create_task(pool.open(lambda: None, "AC1").wait(1))
            for _ in range(limits.BUFFER_WAITERS_MAX)
        ]
        await asyncio.sleep(0)
        small = asyncio.create_task(pool.open(lambda: None, "AC2").wait(60))
        await asyncio.wait(large, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        refused = [each for each in large if each.done()]
        is_first_refused = len(refused) == 1 and not refused[0].result()
        count = len(pool.authenticated.waiters)
        for each in (*large, small):
            each.cancel()
        await asyncio.gather(*large, small, return_exceptions=True)
        return is_first_refused, count

    assert asyncio.run(run()) == (True, limits.BUFFER_WAITERS_MAX)
