"""The unit of work: what an action may do in a transaction, on any engine.

An action is a coroutine ``async (tx) -> result``. It awaits nothing but ``tx``. An engine may
execute it several times (after a conflict, or when its group is rolled back), so its only effects
are those through ``tx``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from parlour.vocabulary.origin import Origin
    from parlour.vocabulary.scope import Scope

T = TypeVar("T")
Row = tuple[Any, ...]

in_transaction: Final[ContextVar[bool]] = ContextVar("in_transaction", default=False)
"""Set by an engine while it executes an action; inherited by tasks that the action starts."""


ALL_ACCOUNTS: Final = "*"
"""The ``account_sid`` of work that serves all accounts, such as the scheduler."""


class Transaction(Protocol):
    """The interface of the store to an action. Rows are tuples in the order of the statement."""

    @property
    def now(self) -> int:
        """Return the time of this transaction in milliseconds since 1970-01-01 UTC."""
        ...

    @property
    def origin(self) -> Origin:
        """Return the origin of this change."""
        ...

    @property
    def overlap_ms(self) -> int:
        """Return how long a transaction that started before this one may still be running."""
        ...

    async def one(self, sql: str, *arguments: object) -> Row | None:
        """Return the first row, or None."""
        ...

    async def one_cached(self, sql: str, *arguments: object) -> Row | None:
        """Return the first row of settings, or None; possibly from a cache (``settings_cache.py``).

        Settings are rows that change only in transactions that lock the name ``settings``.
        """
        ...

    async def all(self, sql: str, *arguments: object) -> list[Row]:
        """Return every row; the statement has a LIMIT."""
        ...

    async def run(self, sql: str, *arguments: object) -> int:
        """Change rows; return how many."""
        ...

    async def emit(
        self,
        scope: Scope,
        name: str,
        *,
        conversation_sid: str = "",
        subject_sid: str,
        payload: object,
        origin: Origin | None = None,
    ) -> None:
        """Write one event in this transaction. ``origin`` overrides the transaction's origin."""
        ...

    async def lock_name(self, *name: str) -> None:
        """Lock a name until the transaction ends, against every other transaction.

        For conditions on rows that do not exist yet and therefore cannot be locked.
        """
        ...

    def visible_count(self, after: int, numbers: list[int]) -> int:
        """Return how many of the events with these numbers, which follow ``after``, are safe.

        Before an event that is not safe, another one may still be committed.
        """
        ...

    async def visible_through(self) -> int:
        """Return the safe high-water mark: no event up to it can be missing. 0 before the first."""
        ...

    def new_sid(self, prefix: str) -> str:
        """Return a new unique sid."""
        ...

    def next_sequence(self) -> int:
        """Return the next number in the order of creation."""
        ...


class EmittedEvent(NamedTuple):
    """An event as its action emitted it, without a number."""

    name: str
    scope: Scope
    conversation_sid: str
    subject_sid: str
    origin: Origin
    payload: str


class DryRun(NamedTuple, Generic[T]):
    """The result and the events of an action that was executed and rolled back."""

    result: T
    events: tuple[EmittedEvent, ...]


Work = Callable[[Transaction], Awaitable[T]]


class ConflictScope(NamedTuple):
    """The rows that a change can conflict on: one conversation, or one subject in it.

    A change with a scope locks and writes nothing outside the conversation. With a subject it
    writes only that subject, and reads nothing that a change of another subject of the same type
    (the prefix of the sid) writes. A change that writes elsewhere or locks a name has no scope.
    """

    conversation_sid: str
    subject_sid: str = ""
    kind: str = ""
    """Operation and service. Changes of one kind run the same statements on other sids."""

    def is_disjoint_from(self, other: ConflictScope) -> bool:
        """Return whether both changes commute, and may run concurrently in one transaction."""
        if self.conversation_sid != other.conversation_sid:
            return True
        # A sid of another type may be read by a change of this one, so the types must be equal.
        one, two = self.subject_sid, other.subject_sid
        return bool(one and two) and one != two and one[:2] == two[:2]


# Invariants of every engine:
#
# - A result of ``write`` is returned only after the commit is on disk.
# - An action that fails leaves no row and no event, except after ``Unavailable``: then the commit
#   may have happened.
# - Events of one conversation get numbers in the order of their commits.
# - Two transactions never hold the lock of one name at the same time.
class Store(Protocol):
    """An engine: executes actions and makes their changes durable."""

    @property
    def is_shared(self) -> bool:
        """Return whether other processes serve the same data concurrently."""
        ...

    async def start(self) -> None:
        """Prepare for reads and writes. Raises ``Unavailable``."""
        ...

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call a listener after each commit that wrote an event."""
        ...

    async def close(self) -> None:
        """Execute queued actions, then release every resource."""
        ...

    async def read(
        self, work: Work[T], *, account_sid: str = ..., single_statement: bool = ...
    ) -> T:
        """Run a read on one snapshot.

        ``account_sid``: an engine with row-level security shows no rows of other accounts; the
        default is ALL_ACCOUNTS. ``single_statement``: the read runs one statement, which is a
        snapshot without a transaction around it.
        """
        ...

    async def write(
        self,
        work: Work[T],
        origin: Origin = ...,
        *,
        account_sid: str = ...,
        conflict_scope: ConflictScope | None = ...,
    ) -> T:
        """Run a change; return its result after the commit. ``account_sid`` as in ``read``.

        Changes with disjoint conflict scopes may run concurrently. Raises ``Busy`` when the queue
        is full, ``Unavailable`` when the commit failed or its outcome is unknown.
        """
        ...

    async def dry_run(
        self, work: Work[T], origin: Origin = ..., *, account_sid: str = ...
    ) -> DryRun[T]:
        """Run a change and roll it back; return its result and events."""
        ...


def assert_outside_transaction() -> None:
    """Assert that no action is running: called before each wait for a network or a disk."""
    assert not in_transaction.get(), "a wait for a network or a disk inside a transaction"


class Busy(Exception):  # noqa: N818 - named after the condition, as in HTTP.
    """The queue of changes is full: nothing was changed."""


class Unavailable(Exception):  # noqa: N818 - as above.
    """The store is unreachable, or the commit failed or its outcome is unknown."""


class DatabaseError(Exception):
    """The configured database does not exist, cannot be opened or does not fit."""
