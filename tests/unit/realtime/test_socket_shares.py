"""Slots for the WebSockets of users: which socket gets one, and which is displaced."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.realtime.hub import UserKey
from parlour.realtime.socket_shares import SocketShares

if TYPE_CHECKING:
    from collections.abc import Iterable

IN_ALL_MAX = 9
OF_ACCOUNT_MAX = 6
USERS = [UserKey(account, "IS", identity) for account in "ABC" for identity in "xyz"]


class DisplaceableSocket:
    """A socket that counts how often it was displaced."""

    def __init__(self, user_key: UserKey) -> None:
        self.user_key = user_key
        self.displaced = 0

    def displace(self) -> None:
        self.displaced += 1


class SocketSharesModel:
    """Shares, and a list of the open sockets, the oldest first, which is looked through each time.

    After each socket that comes, everything that the shares promise is asserted.
    """

    def __init__(self, total_max: int = IN_ALL_MAX, per_account_max: int = OF_ACCOUNT_MAX) -> None:
        self.total_max, self.per_account_max = total_max, per_account_max
        self.shares = SocketShares(total_max=total_max, per_account_max=per_account_max)
        self.open: list[DisplaceableSocket] = []

    def of_accounts(self) -> Counter[str]:
        return Counter(each.user_key.account_sid for each in self.open)

    def of_users(self, account: str) -> Counter[UserKey]:
        return Counter(each.user_key for each in self.open if each.user_key.account_sid == account)

    def losing_users(self, key: UserKey) -> set[UserKey] | None:
        """The users of whom one gives up a place for a new socket; None if it is rejected.

        Empty if there is room for it.
        """
        accounts = self.of_accounts()
        own, most = accounts[key.account_sid], max(accounts.values(), default=0)
        if len(self.open) < self.total_max and own < self.per_account_max:
            return set()
        if len(self.open) == self.total_max and own + 2 <= most:
            largest = {account for account, count in accounts.items() if count == most}
        else:
            largest = {key.account_sid}
            users = self.of_users(key.account_sid)
            if users[key] + 2 > max(users.values(), default=0):
                return None
        found = set()
        for account in largest:
            users = self.of_users(account)
            found |= {user for user in users if users[user] == max(users.values())}
        return found

    def come(self, key: UserKey) -> DisplaceableSocket | None:
        """Let a socket come; None if it is rejected."""
        losing = self.losing_users(key)
        socket = DisplaceableSocket(key)
        is_in = self.shares.acquire(socket)
        displaced = [each for each in self.open if each.displaced]
        assert is_in is (losing is not None)
        assert len(displaced) == bool(losing)
        for each in displaced:
            assert losing is not None
            assert each.displaced == 1
            assert each.user_key in losing
            assert each is [one for one in self.open if one.user_key == each.user_key][-1]
            self.shares.release(each)  # As its connection does again when it ends.
            self.open.remove(each)
        if not is_in:
            return None
        self.open.append(socket)
        assert len(self.open) <= self.total_max
        assert max(self.of_accounts().values()) <= self.per_account_max
        return socket

    def go(self, socket: DisplaceableSocket) -> None:
        self.shares.release(socket)
        self.open.remove(socket)

    def counts(self) -> list[int]:
        """How many sockets each user has, in the order of their names."""
        found = Counter(each.user_key for each in self.open)
        return [found[key] for key in sorted(found)]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 1000)), max_size=80))
def test_each_socket_gets_the_slot_that_a_scan_of_all_sockets_finds(
    steps: list[tuple[bool, int]],
) -> None:
    server = SocketSharesModel()
    for comes, number in steps:
        if comes or not server.open:
            server.come(USERS[number % len(USERS)])
        else:
            server.go(server.open[number % len(server.open)])


@given(st.permutations(USERS), st.lists(st.sampled_from(USERS), max_size=20))
def test_all_that_keep_coming_end_with_equal_shares(
    order: list[UserKey], before: list[UserKey]
) -> None:
    server = SocketSharesModel(total_max=13, per_account_max=9)
    rounds: Iterable[list[UserKey]] = [before, *[order] * 13]
    for users in rounds:
        for key in users:
            server.come(key)

    accounts = sorted(server.of_accounts().values())
    assert accounts == [4, 4, 5]
    for account in "ABC":
        users = server.of_users(account)
        assert len(users) == 3
        assert max(users.values()) - min(users.values()) <= 1
    # And so it stays: clients that come again displace nothing.
    assert [server.come(key) for key in order] == [None] * len(order)


@pytest.mark.parametrize(("total_max", "per_account_max"), [(5, 9), (9, 5)])
def test_a_user_with_all_slots_is_rejected_and_gives_its_newest_to_another(
    total_max: int, per_account_max: int
) -> None:
    alice, bob = USERS[0], USERS[1]
    server = SocketSharesModel(total_max, per_account_max)
    sockets = [server.come(alice) for _ in range(5)]
    assert server.come(alice) is None

    assert [server.come(bob) is None for _ in range(4)] == [False, False, True, True]
    assert server.counts() == [3, 2]
    assert [each.displaced for each in sockets if each] == [0, 0, 0, 1, 1]


def test_two_accounts_with_all_slots_give_some_to_a_third() -> None:
    server = SocketSharesModel(8, 6)
    for user in (USERS[0], USERS[3]):
        for _ in range(4):
            server.come(user)

    assert server.come(USERS[6]) is not None
    assert server.come(USERS[6]) is not None
    assert server.come(USERS[6]) is None
    assert server.counts() == [3, 3, 2]


def test_a_user_of_the_largest_account_takes_from_that_account_only() -> None:
    server = SocketSharesModel(6, 6)
    for user in [USERS[0]] * 4 + [USERS[3]] * 2:
        server.come(user)

    assert server.come(USERS[1]) is not None
    assert server.counts() == [3, 1, 2]


def test_at_the_limit_with_equal_shares_the_next_is_rejected() -> None:
    server = SocketSharesModel(3, 3)
    assert all(server.come(USERS[3 * number]) for number in range(3))

    assert server.come(USERS[1]) is None


def test_a_socket_without_a_slot_releases_none() -> None:
    server = SocketSharesModel(1, 1)
    assert server.come(USERS[0]) is not None
    server.shares.release(DisplaceableSocket(USERS[0]))
    server.shares.release(DisplaceableSocket(USERS[1]))

    assert server.come(USERS[0]) is None


def test_enter_costs_the_same_however_many_sockets_and_users_there_are() -> None:
    """Hashes of sockets and users are counted: a search would hash thousands."""
    hashes = 0

    class CountedKey(UserKey):
        def __hash__(self) -> int:
            nonlocal hashes
            hashes += 1
            return super().__hash__()

    class CountedSocket(DisplaceableSocket):
        def __hash__(self) -> int:
            nonlocal hashes
            hashes += 1
            return id(self)

        def __eq__(self, other: object) -> bool:
            return self is other

    costs = []
    for users in (10, 1000):
        shares = SocketShares(total_max=2 * users, per_account_max=2 * users)
        for number in range(2 * users):
            shares.acquire(CountedSocket(CountedKey("A", "IS", f"user{number // 2}")))
        hashes = 0
        assert shares.acquire(CountedSocket(CountedKey("B", "IS", "late")))
        costs.append(hashes)
    assert costs[0] == costs[1] > 0
