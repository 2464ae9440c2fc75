"""A bounded pool of connections to PostgreSQL, and failover between the hosts of a URL.

**Pool.** Connections are opened on demand. A caller that acquires one either releases it, usable
and without a transaction, or discards it. A connection that is lost indicates that the server is
unreachable, so the idle connections are discarded with it. Callers beyond the size of the pool wait
in a FIFO queue, with a timeout.

Invariant: ``_open`` counts the idle and the acquired connections, and those that are being opened.

**Hosts.** A URL may name several hosts, one of which is the primary. Each gets the full connect
timeout, since a machine that is down refuses nothing: it does not respond. To wait for that once
and not for each connection, the last primary is tried first.
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
"""Errors of a lost connection, or of a server that is no longer the primary."""

FAILED: Final = (*LOST, asyncpg.PostgresError)
"""Errors of any statement that failed."""

REFUSED: Final = (
    *LOST,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ClientConfigurationError,
    asyncpg.TargetServerAttributeNotMatched,
    # Parameters of the URL that the server rejects.
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidParameterValueError,
    asyncpg.CantChangeRuntimeParamError,
    # A URL that the driver cannot parse, a host name that cannot be resolved.
    ValueError,
)
"""Errors of a connection that cannot be opened."""

SESSION: Final = {
    "application_name": "parlour",
    "default_transaction_isolation": "read committed",
    # Statements here read few rows: compiling them would take longer than running them.
    "jit": "off",
    "statement_timeout": str(limits.STORE_TRANSACTION_MS_MAX),
    "lock_timeout": str(limits.STORE_TRANSACTION_MS_MAX),
    "idle_in_transaction_session_timeout": str(limits.STORE_TRANSACTION_MS_MAX),
    "search_path": "public",
    # Row-level security (schema.py) limits a transaction that names an account.
    "parlour.account": ALL_ACCOUNTS,
}
"""Settings of a session: timeouts release every lock of a node that becomes unresponsive."""


UNLIMITED: Final = {
    # Another name than that above: its long transactions are terminated
    # (orphaned_transactions.py).
    "application_name": "parlour maintenance",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
"""Settings that override these in a session that migrates a schema or moves a store."""

STATEMENTS_MAX: Final = 1_000
"""Prepared statements in the cache of each connection: more than the program has."""


_URL: Final = re.compile(r"(?P<before>\w+://(?:[^/?#]*@)?)(?P<hosts>[^/?#]*)(?P<after>.*)")


def urls_of_hosts(url: str) -> list[str]:
    """Return one URL for each host that a URL names."""
    found = _URL.fullmatch(url)
    if found is None:
        return [url]  # The driver raises the more precise error.
    before, hosts, after = found.groups()
    return [f"{before}{host}{after}" for host in hosts.split(",")]


class Hosts:
    """The hosts of a URL, starting with the last primary."""

    def __init__(self, url: str) -> None:
        self._urls = urls_of_hosts(url)

    async def connect(self, **session: str) -> Connection[Any]:
        """Open a connection to the primary. Raises an error of ``REFUSED``."""
        failures: list[Exception] = []
        for url in tuple(self._urls):
            try:
                connection = await _connect_to(url, session)
            except REFUSED as error:
                failures.append(error)
                continue
            if url != self._urls[0]:
                self._urls.remove(url)
                self._urls.insert(0, url)
            return connection
        # A response of a server is more specific than another one being unreachable.
        responses = [error for error in failures if not isinstance(error, OSError)]
        last = (responses or failures)[-1]
        raise last


async def connect(url: str, **session: str) -> Connection[Any]:
    """Open a connection to the primary. Raises an error of ``REFUSED``."""
    return await Hosts(url).connect(**session)


async def _connect_to(url: str, session: dict[str, str]) -> Connection[Any]:
    return await asyncpg.connect(
        url,
        timeout=limits.STORE_CONNECT_MS_MAX / 1000,
        # Statements are prepared once for each connection and never expire.
        statement_cache_size=STATEMENTS_MAX,
        max_cached_statement_lifetime=0,
        # A standby accepts connections, too, and is rejected here.
        target_session_attrs="read-write",
        server_settings=SESSION | session,
    )


class ConnectionPool:
    """The connections of one process, and the queue of callers that wait for one."""

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
        """Return a connection for exclusive use. Raises ``Busy`` or ``Unavailable``."""
        while not self._is_closed:
            while self._idle:
                # LIFO: the most recently used connection has the warmest caches.
                connection = self._idle.pop()
                if not connection.is_closed():
                    return connection
                self._open -= 1
            if self._open < self._size:
                return await self._connect()
            released = await self._wait()
            if released is not None:
                return released
        raise Unavailable("the store is closed")

    async def _connect(self) -> Connection[Any]:
        # Counted before the await: otherwise concurrent callers would exceed the size.
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
        """Return the next connection released; None if one may be opened instead."""
        if len(self._waiting) >= limits.QUEUE_ACTIONS_MAX:
            raise Busy
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Connection[Any] | None] = loop.create_future()
        self._waiting.append(waiter)
        # No transaction may last longer: this timeout means a long queue, not a slow holder.
        late = Unavailable("no connection came free")
        timeout = loop.call_later(limits.STORE_TRANSACTION_MS_MAX / 1000, _fail, waiter, late)
        try:
            return await waiter
        except asyncio.CancelledError:
            # Cancelled after the result was set: pass the connection on, or it would leak.
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                released = waiter.result()
                self._wake() if released is None else self.release(released)
            raise
        finally:
            timeout.cancel()

    def release(self, connection: Connection[Any]) -> None:
        """Return a connection to the pool; it must be usable and outside a transaction."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)

    def discard(self, connection: Connection[Any], *, is_lost: bool = False) -> None:
        """Close a connection at once; the server rolls back its transaction."""
        connection.terminate()
        self._open -= 1
        if is_lost:
            while self._idle:
                self._idle.pop().terminate()
                self._open -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def close(self) -> None:
        """Close the idle connections, and fail the callers that wait for one.

        Connections in use are not closed here.
        """
        self._is_closed = True
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()
        for connection in self._idle:
            try:
                await connection.close(timeout=limits.STORE_CONNECT_MS_MAX / 1000)
            except LOST:
                connection.terminate()
        self._idle.clear()


def _fail(waiter: asyncio.Future[Connection[Any] | None], error: Unavailable) -> None:
    if not waiter.done():
        waiter.set_exception(error)
