"""The unit of work: what an action may do while it holds the store, whatever the engine.

An action is a coroutine ``async (tx) -> result``. It awaits nothing but ``tx``; an engine may
run it more than once (after a conflict), so it has no effect but through ``tx``.
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
"""Set by an engine while it runs an action, and seen by whatever the action calls or starts."""


ALL_ACCOUNTS: Final = "*"
"""Whose work it is that serves all accounts: the scheduler's, for one."""


class Transaction(Protocol):
    """What an action sees of the store. Rows are tuples in the order of the statement."""

    @property
    def now(self) -> int:
        """The time of this transaction: milliseconds since 1970-01-01 UTC."""
        ...

    @property
    def origin(self) -> Origin:
        """Who caused this change."""
        ...

    @property
    def overlap_ms(self) -> int:
        """How long a transaction that began before this one may still go on beside it."""
        ...

    async def one(self, sql: str, *arguments: object) -> Row | None:
        """The first row, or None."""
        ...

    async def one_cached(self, sql: str, *arguments: object) -> Row | None:
        """As ``one``, for a row of settings: an engine may remember it until a setting changes.

        Settings are what only operations change that hold the name ``settings``.
        """
        ...

    async def all(self, sql: str, *arguments: object) -> list[Row]:
        """Every row; the statement has a LIMIT."""
        ...

    async def run(self, sql: str, *arguments: object) -> int:
        """Change rows, and say how many."""
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
        """Write one event in this transaction. ``origin`` replaces the transaction's own."""
        ...

    async def lock_name(self, *name: str) -> None:
        """Hold a name until the end: nobody else's transaction holds it meanwhile.

        For what is no row that could be locked. One writer holds every name anyway.
        """
        ...

    def visible_count(self, after: int, numbers: list[int]) -> int:
        """How many of the events with these numbers, read after ``after``, may be passed.

        Behind the others one may still be missing that will be committed.
        """
        ...

    async def visible_through(self) -> int:
        """The number up to which no event can be missing; 0 before the first."""
        ...

    def new_sid(self, prefix: str) -> str:
        """A sid that was never given before."""
        ...

    def next_sequence(self) -> int:
        """The next number in the order of creation."""
        ...


class EmittedEvent(NamedTuple):
    """An event as its action wrote it: not yet numbered."""

    name: str
    scope: Scope
    conversation_sid: str
    subject_sid: str
    origin: Origin
    payload: str


class DryRun(NamedTuple, Generic[T]):
    """What an action would give."""

    result: T
    events: tuple[EmittedEvent, ...]


Work = Callable[[Transaction], Awaitable[T]]


class ConflictScope(NamedTuple):
    """How far a change reaches: it locks and writes nothing outside of one conversation.

    With a subject it writes that alone, and reads nothing else that a change of another subject
    of the same kind (the prefix of its sid) writes. What lies outside, and what locks a name, is
    no matter for a change that says how far it reaches.
    """

    conversation_sid: str
    subject_sid: str = ""
    kind: str = ""
    """Changes of one kind read the same rows, but for the sids: operation and service."""

    def is_disjoint_from(self, other: ConflictScope) -> bool:
        """Whether both come to the same in either order, and side by side."""
        if self.conversation_sid != other.conversation_sid:
            return True
        one, two = self.subject_sid, other.subject_sid
        return bool(one and two) and one != two and one[:2] == two[:2]


class Store(Protocol):
    """An engine: runs actions, and keeps what they wrote."""

    @property
    def is_shared(self) -> bool:
        """Whether other processes serve the same data at the same time."""
        ...

    async def start(self) -> None:
        """Be ready. Raises ``Unavailable`` when that cannot be now."""
        ...

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call this after each commit that wrote an event: a hint that there is news."""
        ...

    async def close(self) -> None:
        """Finish what is queued, and let go of what is kept."""
        ...

    async def read(
        self, work: Work[T], *, account_sid: str = ..., single_statement: bool = ...
    ) -> T:
        """Run reading work on one snapshot.

        ``account_sid``: whose work it is. An engine with a wall between accounts shows it no row
        of another one; without it the work is that of all accounts.
        ``single_statement``: the work is a single statement, which is a snapshot by itself.
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
        """Run a change; the answer comes after it is on disk. ``account_sid`` as in ``read``.

        ``conflict_scope``: how far it reaches, if that is known: an engine may run changes that are
        apart side by side. Raises ``Busy`` when no more can be queued, ``Unavailable`` when the
        commit failed.
        """
        ...

    async def dry_run(
        self, work: Work[T], origin: Origin = ..., *, account_sid: str = ...
    ) -> DryRun[T]:
        """Run a change to see what it would give, and undo it."""
        ...


def assert_outside_transaction() -> None:
    """Fail whoever is about to wait for a network inside an action."""
    assert not in_transaction.get(), "a network is asked inside a transaction"


class Busy(Exception):  # noqa: N818 - named after the condition, as in HTTP.
    """The queue of changes is full: nothing was done."""


class Unavailable(Exception):  # noqa: N818 - as above.
    """The store could not keep the change: nothing was done."""


class DatabaseError(Exception):
    """The database that the settings name is none, or is not fit for this."""
