"""A fair queue: round-robin by account, within an account by user, FIFO within a user.

One tenant, or one user of a tenant, cannot delay the others by queueing more: between two items
of an account every other account with queued items is served once, and the same holds between the
users of an account. Both levels are rotations:

- ``push`` appends a new account, or a new user of a queued account, at the end of its rotation.
- ``pop`` serves the first user of the first account and moves both to the end of their rotations,
  or removes them once they have no queued items.

The queue has no bound: its callers bound the requests in flight of each client.

Both methods take constant time for any number of accounts, users and items. The rotations are
``OrderedDict``s: in a ``dict`` the search for the first key is linear in the keys deleted before.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class RoundRobin(Generic[T]):
    """Queue items of users of accounts."""

    __slots__ = ("_accounts", "size")

    def __init__(self) -> None:
        self._accounts: OrderedDict[str, OrderedDict[str, deque[T]]] = OrderedDict()
        self.size = 0
        """Number of queued items. An attribute, as hot paths test it for each request."""

    def push(self, account_sid: str, identity: str, item: T) -> None:
        """Queue an item behind the others of its user."""
        users = self._accounts.get(account_sid)
        if users is None:
            users = self._accounts[account_sid] = OrderedDict()
        items = users.get(identity)
        if items is None:
            items = users[identity] = deque()  # tidy: bounded - by its callers
        items.append(item)
        self.size += 1

    def pop(self) -> T:
        """Remove and return the next item; its account and its user go to the end.

        Raises KeyError if the queue is empty.
        """
        account_sid, users = self._accounts.popitem(last=False)
        identity, items = users.popitem(last=False)
        item = items.popleft()
        if items:
            users[identity] = items
        if users:
            self._accounts[account_sid] = users
        self.size -= 1
        return item
