"""Connections to PostgreSQL: at most so many, made when they are needed, gone when they broke.

Whoever takes one gives it back whole or has it dropped. A connection that broke says that the
server went away, so those that lie idle are dropped with it: none of them is worth a try.

A URL may name several hosts, one of which is the primary. Each is given the whole time for a
connection, since a machine that is gone refuses nothing: it is silent. So that this is waited for
once and not for every connection, the host that was the primary last is asked first.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from parlour.store.transaction import ALL_ACCOUNTS, Busy, Unavailable
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from asyncpg import Connection

LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,
    OSError,
    EOFError,
)
"""What is raised when the server went away, or is not the primary any more."""

FAILED: Final = (*LOST, asyncpg.PostgresError)
"""What is raised when a statement came to nothing, for whatever reason."""

REFUSED: Final = (
    *LOST,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ClientConfigurationError,
    asyncpg.TargetServerAttributeNotMatched,
    # Parameters of the URL that the server does not know, or whose values it does not take.
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidParameterValueError,
    asyncpg.CantChangeRuntimeParamError,
    # A URL that the driver cannot read, a host that cannot be looked up.
    ValueError,
)
"""What is raised when no connection can be made."""

SESSION: Final = {
    "application_name": "parlour",
    "default_transaction_isolation": "read committed",
    # Statements here touch few rows; compiling them would cost more than it gives.
    "jit": "off",
    "statement_timeout": str(limits.STORE_TRANSACTION_MS_MAX),
    "lock_timeout": str(limits.STORE_TRANSACTION_MS_MAX),
    "idle_in_transaction_session_timeout": str(limits.STORE_TRANSACTION_MS_MAX),
    "search_path": "public",
    # The wall between accounts (postgres_schema.py) stands where a transaction names one.
    "parlour.account": ALL_ACCOUNTS,
}
"""What a session is set to: nobody may hold a lock for ever, whatever becomes of its node."""


UNLIMITED: Final = {
    # Another name: who is called as above is put out when a transaction lasts (stragglers.py).
    "application_name": "parlour maintenance",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
"""What a session is set to beyond that which makes a schema, or moves a store."""

STATEMENTS_MAX: Final = 1_000
"""Statements that each connection keeps prepared: more than the program has."""


_PLACE: Final = re.compile(r"(?P<before>\w+://(?:[^/?#]*@)?)(?P<hosts>[^/?#]*)(?P<after>.*)")


def urls_of_hosts(url: str) -> list[str]:
    """The URL of each single host that a URL names."""
    found = _PLACE.fullmatch(url)
    if found is None:
        return [url]  # What is wrong with it, the driver says better.
    before, hosts, after = found.groups()
    return [f"{before}{host}{after}" for host in hosts.split(",")]


class Hosts:
    """The hosts of a URL, first of them the one that was the primary last."""

    def __init__(self, url: str) -> None:
        self._urls = urls_of_hosts(url)

    async def connect(self, **session: str) -> Connection[Any]:
        """A new connection to the primary. Raises what is in ``REFUSED``."""
        failures: list[Exception] = []
        for url in tuple(self._urls):
            try:
                made = await _connect_to(url, session)
            except REFUSED as error:
                failures.append(error)
                continue
            if url != self._urls[0]:
                self._urls.remove(url)
                self._urls.insert(0, url)
            return made
        # What a server said tells more than that another one was not there.
        said = [error for error in failures if not isinstance(error, OSError)]
        last = (said or failures)[-1]
        raise last


async def connect(url: str, **session: str) -> Connection[Any]:
    """A new connection to the primary. Raises what is in ``REFUSED``."""
    return await Hosts(url).connect(**session)


async def _connect_to(url: str, session: dict[str, str]) -> Connection[Any]:
    return await asyncpg.connect(
        url,
        timeout=limits.STORE_CONNECT_MS_MAX / 1000,
        statement_cache_size=STATEMENTS_MAX,
        max_cached_statement_lifetime=0,
        target_session_attrs="read-write",
        server_settings=SESSION | session,
    )


class ConnectionPool:
    """The connections of one process, and who waits for one."""

    def __init__(self, url: str, size: int) -> None:
        assert size > 0
        self._hosts = Hosts(url)
        self._size = size
        self._open = 0
        self._idle: list[Connection[Any]] = []
        self._waiting: deque[asyncio.Future[Connection[Any] | None]] = deque(
            maxlen=limits.QUEUE_ACTIONS_MAX
        )
        self._is_closed = False

    async def acquire(self) -> Connection[Any]:
        """A connection that nobody else has. Raises ``Busy`` or ``Unavailable``."""
        while not self._is_closed:
            while self._idle:
                found = self._idle.pop()
                if not found.is_closed():
                    return found
                self._open -= 1
            if self._open < self._size:
                return await self._connect()
            handed = await self._wait()
            if handed is not None:
                return handed
        raise Unavailable("the store is closed")

    async def _connect(self) -> Connection[Any]:
        self._open += 1
        try:
            return await self._hosts.connect()
        except BaseException as error:
            self._open -= 1
            self._wake()
            if isinstance(error, REFUSED):
                raise Unavailable(f"no connection: {error!r}") from error
            raise

    async def _wait(self) -> Connection[Any] | None:
        """What somebody gives back; None if there may be room for a new one."""
        if len(self._waiting) >= limits.QUEUE_ACTIONS_MAX:
            raise Busy
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Connection[Any] | None] = loop.create_future()
        self._waiting.append(turn)
        # Nobody may have a connection for longer: who waits so long waits behind many others.
        late = Unavailable("no connection came free")
        over = loop.call_later(limits.STORE_TRANSACTION_MS_MAX / 1000, _fail, turn, late)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                handed = turn.result()
                self._wake() if handed is None else self.release(handed)
            raise
        finally:
            over.cancel()

    def release(self, connection: Connection[Any]) -> None:
        """A connection without a transaction, ready for the next."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        self._idle.append(connection)

    def discard(self, connection: Connection[Any], *, is_lost: bool = False) -> None:
        """End a connection at once; the server undoes what was not committed on it."""
        connection.terminate()
        self._open -= 1
        if is_lost:
            while self._idle:
                self._idle.pop().terminate()
                self._open -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    async def close(self) -> None:
        """Close what lies idle; whoever still has one drops it or gives it back for nothing."""
        self._is_closed = True
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
        self._waiting.clear()
        for connection in self._idle:
            try:
                await connection.close(timeout=limits.STORE_CONNECT_MS_MAX / 1000)
            except LOST:
                connection.terminate()
        self._idle.clear()


def _fail(turn: asyncio.Future[Connection[Any] | None], error: Unavailable) -> None:
    """Let who waits for its turn wait no more."""
    if not turn.done():
        turn.set_exception(error)
