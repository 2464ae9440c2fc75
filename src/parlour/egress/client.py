"""The only outbound HTTP client: checks the target address when it connects.

A name is resolved once; the policy checks the addresses (`protocol/egress_policy.py`), and the
connection goes to exactly a checked address. There is no second lookup in between, so DNS rebinding
has no effect. `Host` and the server name of TLS remain the name of the URL. Redirects are not
followed, proxies of the environment are not used, there are no cookies, and bodies are never
decompressed: `Accept-Encoding: identity` is sent, and an encoded body is passed on unchanged.

Why not a client library: on the same machine a webhook over a reused connection costs httpx 2 to
4 ms of CPU time, httpcore 1.2 to 2.4 ms and this file about 0.1 ms. See docs/explanation/egress.md.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections import Counter
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from parlour.egress.connection import (
    CODE_CONNECT,
    CODE_DNS,
    CODE_TIMEOUT,
    Connect,
    EgressFailed,
    OutboundConnection,
    StaleConnection,
    connect_directly,
    make_tls_context,
    tls_failure,
)
from parlour.egress.request_slots import RequestSlots
from parlour.egress.resolver import Resolve, SystemResolver
from parlour.protocol.digest_authentication import answer_challenge
from parlour.protocol.egress_policy import EgressPolicy, EgressRefused, IpAddress
from parlour.store.transaction import assert_outside_transaction
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemRandom
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from parlour.operations.fair_shares import Share
    from parlour.protocol.signatures import PreparedUrl
    from parlour.vocabulary.clock import Random

__all__ = [
    "Connect",
    "Egress",
    "EgressFailed",
    "EgressPolicy",
    "EgressRefused",
    "OutboundRequest",
    "OutboundResponse",
    "Resolve",
    "SystemResolver",
    "connect_directly",
    "make_tls_context",
]

_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE"})
_UNAUTHORIZED: Final = 401
_OWN_HEADERS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection"})


@dataclass(frozen=True, slots=True, repr=False)
class OutboundRequest(Redacted):
    """One request. The client adds `Host`, `Content-Length` and credentials.

    `timeout_ms` covers the time from the name lookup to the last byte read. Before that, the
    request may wait `slot_wait_ms_max` for a slot of its account. Requests with `is_caller_waiting`
    have separate slots. `may_send` is called immediately before the request is written: the lease
    may have expired since the request was made.
    """

    secret_fields = frozenset({"headers"})

    method: str
    url: PreparedUrl
    headers: Mapping[str, str]
    body: bytes = b""
    timeout_ms: int = limits.WEBHOOK_SECONDS_MAX * 1000
    read_bytes_max: int = limits.RESPONSE_BYTES_READ_MAX
    slot_wait_ms_max: int = limits.OUTBOUND_SLOT_WAIT_MS_MAX
    account_sid: str = ""
    is_caller_waiting: bool = False
    may_send: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class OutboundResponse:
    """A response: header names in lower case, and the first bytes of the body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body_start: bytes
    elapsed_ms: int
    is_truncated: bool

    def header(self, name: str) -> str | None:
        """Return the first header of this lower-case name, or None."""
        return next(iter(self.every(name)), None)

    def every(self, name: str) -> list[str]:
        """Return all headers of this lower-case name, in order."""
        return [value for key, value in self.headers if key == name]


# --- The client -------------------------------------------------------------------------


class _ConnectionPool:
    """The idle connections to one scheme, host and port, and the number of current requests."""

    __slots__ = ("idle", "users")

    def __init__(self) -> None:
        self.idle: list[OutboundConnection] = []
        self.users = 0


class Egress:
    """Sends requests to targets that the policy allows; use it as an async context manager."""

    # Life of a connection in the pool:
    #
    #   opened in ``_open_connection``, used by one request at a time, then by ``_keep``
    #     usable, and the account has room  -> idle in the pool of its target
    #     otherwise                         -> aborted
    #   idle, taken by ``_take_idle``       -> used again (aborted if too old or closed)
    #   idle for IDLE_CONNECTION_MS_MAX     -> aborted by ``_sweep``
    #
    # Invariants: ``_idle_count`` and the sum of ``_idle_of`` are the number of connections in all
    # ``idle`` lists. A pool is in ``_targets`` while it has users or idle connections.

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        resolve: Resolve | None = None,
        connect: Connect | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
        random: Random | None = None,
        per_target_max: int | None = None,
    ) -> None:
        """``per_target_max``: concurrent requests of one account to one scheme, host and port.

        Its default is `limits.OUTBOUND_REQUESTS_PER_TARGET_MAX`.
        """
        self.policy = policy
        self._per_target_max = per_target_max
        self._random = SystemRandom() if random is None else random
        self._resolve = SystemResolver() if resolve is None else resolve
        self._connect = connect_directly if connect is None else connect
        self._make_tls = make_tls_context if tls is None else tls
        self._tls: ssl.SSLContext | None = None
        self._slots = RequestSlots(limits.OUTBOUND_REQUESTS_MAX)
        self._awaited_slots = RequestSlots(limits.OUTBOUND_AWAITED_REQUESTS_MAX)
        self._targets: dict[tuple[str, str, int], _ConnectionPool] = {}
        self._open: set[OutboundConnection] = set()
        self._idle_count = 0
        self._idle_of: Counter[str] = Counter()
        self._sweeper: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; the transports close in the next iteration of the event loop."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in tuple(self._open):
            connection.abort()
        await asyncio.sleep(0)

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        """Return the response to a request. Raises EgressRefused or EgressFailed."""
        assert_outside_transaction()
        url = request.url
        key = (url.scheme, url.host.name, url.port)
        target = self._targets.get(key)
        if target is None:
            target = self._targets[key] = _ConnectionPool()
        target.users += 1
        try:
            slots = self._awaited_slots if request.is_caller_waiting else self._slots
            slot = await self._acquire_slot(slots, request, key)
            try:
                async with asyncio.timeout(request.timeout_ms / 1000):
                    response = await self._exchange(request, target)
                    again = self._authenticated(request, response)
                    return response if again is None else await self._exchange(again, target)
            except TimeoutError:
                raise EgressFailed("timeout", CODE_TIMEOUT) from None
            finally:
                slots.release(slot)
        finally:
            target.users -= 1
            self._remove_unused(key, target)

    def _authenticated(
        self, request: OutboundRequest, response: OutboundResponse
    ) -> OutboundRequest | None:
        """Return the request with Digest credentials if the response demands them, or None."""
        url = request.url
        if response.status != _UNAUTHORIZED or url.credentials is None:
            return None
        authorization = answer_challenge(
            response.every("www-authenticate"),
            url.credentials,
            request.method,
            url.target,
            self._random.token(16).hex(),
        )
        if authorization is None:
            return None
        return replace(request, headers={**request.headers, "Authorization": authorization})

    async def _acquire_slot(
        self, slots: RequestSlots, request: OutboundRequest, target: Hashable
    ) -> Share:
        most = self._per_target_max or limits.OUTBOUND_REQUESTS_PER_TARGET_MAX
        try:
            return await slots.acquire(request.account_sid, target, request.slot_wait_ms_max, most)
        except TimeoutError:
            raise EgressFailed("busy", CODE_CONNECT) from None

    async def _exchange(
        self, request: OutboundRequest, target: _ConnectionPool
    ) -> OutboundResponse:
        written = _write_request(request)
        started = asyncio.get_running_loop().time()
        connection = self._take_idle(target)
        if connection is not None:
            try:
                return await self._send_on(connection, written, request, target, started)
            except StaleConnection:
                # The receiver closed the idle connection. Retry once on a new one; if the first
                # request was received after all, its idempotency token identifies the duplicate.
                pass
        connection = await self._open_connection(request.url, request.account_sid)
        try:
            return await self._send_on(connection, written, request, target, started)
        except StaleConnection:
            raise EgressFailed("connect", CODE_CONNECT, "closed without an answer") from None

    async def _send_on(
        self,
        connection: OutboundConnection,
        written: bytes,
        request: OutboundRequest,
        target: _ConnectionPool,
        started: float,
    ) -> OutboundResponse:
        try:
            _check_may_send(request)
            await connection.exchange(written, request.read_bytes_max)
        except BaseException:
            connection.abort()
            raise
        now = asyncio.get_running_loop().time()
        response = OutboundResponse(
            status=connection.status,
            headers=_read_headers(connection.headers),
            body_start=bytes(connection.body),
            elapsed_ms=round((now - started) * 1000),
            is_truncated=connection.is_truncated,
        )
        self._keep(connection, target, request.account_sid, now)
        return response

    # Idle connections.

    def _take_idle(self, target: _ConnectionPool) -> OutboundConnection | None:
        oldest = asyncio.get_running_loop().time() - limits.CONNECTION_AGE_MS_MAX / 1000
        while target.idle:
            connection = target.idle[-1]
            self._leave_idle(target, connection)
            if connection.is_usable and connection.opened_at > oldest:
                return connection
            connection.abort()
        return None

    def _keep(
        self, connection: OutboundConnection, target: _ConnectionPool, account_sid: str, now: float
    ) -> None:
        if not connection.is_usable or not self._has_idle_room(account_sid):
            connection.abort()
            return
        connection.idle_since = now
        connection.account_sid = account_sid
        target.idle.append(connection)
        self._idle_count += 1
        self._idle_of[account_sid] += 1
        if self._sweeper is None:
            self._sweep_later()

    def _has_idle_room(self, account_sid: str) -> bool:
        """Return whether one more connection may stay idle, if need be by evicting another.

        It is evicted from the account that has the most.
        """
        if self._idle_count < limits.IDLE_CONNECTIONS_MAX:
            return True
        [(most_of, most)] = self._idle_of.most_common(1)
        if most <= self._idle_of[account_sid] + 1:
            return False
        key, target, connection = next(
            (key, target, each)
            for key, target in self._targets.items()
            for each in target.idle
            if each.account_sid == most_of
        )
        self._leave_idle(target, connection)
        connection.abort()
        self._remove_unused(key, target)
        return True

    def _leave_idle(self, target: _ConnectionPool, connection: OutboundConnection) -> None:
        target.idle.remove(connection)
        self._idle_count -= 1
        self._idle_of[connection.account_sid] -= 1
        if not self._idle_of[connection.account_sid]:
            del self._idle_of[connection.account_sid]

    def _sweep_later(self) -> None:
        delay = limits.IDLE_CONNECTION_MS_MAX / 1000
        self._sweeper = asyncio.get_running_loop().call_later(delay, self._sweep)

    def _sweep(self) -> None:
        oldest = asyncio.get_running_loop().time() - limits.IDLE_CONNECTION_MS_MAX / 1000
        for key, target in tuple(self._targets.items()):
            for connection in tuple(target.idle):
                if not connection.is_usable or connection.idle_since <= oldest:
                    self._leave_idle(target, connection)
                    connection.abort()
            self._remove_unused(key, target)
        self._sweeper = None
        if self._idle_count:
            self._sweep_later()

    def _remove_unused(self, key: tuple[str, str, int], target: _ConnectionPool) -> None:
        if not target.users and not target.idle:
            self._targets.pop(key, None)

    # New connections.

    async def _open_connection(self, url: PreparedUrl, account_sid: str) -> OutboundConnection:
        host = url.host
        if host.address:
            resolved: Sequence[str] = [str(host.address)]
        else:
            resolved = await self._resolve_name(host.name, account_sid)
        addresses = self.policy.decide(host, resolved)[: limits.ADDRESSES_TRIED_MAX]
        tls = self._tls_context() if url.scheme == "https" else None
        server_name = host.name if tls is not None else None
        for address in addresses[:-1]:
            try:
                async with asyncio.timeout(limits.CONNECT_MS_MAX / 1000):
                    return await self._connect_to(address, url.port, tls, server_name)
            except OSError:
                continue
        try:
            return await self._connect_to(addresses[-1], url.port, tls, server_name)
        except OSError as error:
            raise EgressFailed("connect", CODE_CONNECT, type(error).__name__) from error

    async def _resolve_name(self, name: str, account_sid: str) -> Sequence[str]:
        try:
            if isinstance(self._resolve, SystemResolver):
                return await self._resolve(name, account_sid)  # Accounts share its threads.
            return await self._resolve(name)
        except OSError as error:
            raise EgressFailed("dns", CODE_DNS) from error

    async def _connect_to(
        self, address: IpAddress, port: int, tls: ssl.SSLContext | None, server_name: str | None
    ) -> OutboundConnection:
        factory = functools.partial(OutboundConnection, self._open)
        try:
            transport, connection = await self._connect(
                factory, str(address), port, tls, server_name
            )
        except ssl.SSLError as error:
            raise tls_failure(error) from error
        assert isinstance(connection, OutboundConnection)
        peer = transport.get_extra_info("peername")
        if peer is not None and ip_address(peer[0]) != address:
            connection.abort()
            raise AssertionError("The connection goes to another address than the checked one.")
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        # Created lazily: reading the trusted certificates is slow.
        if self._tls is None:
            self._tls = self._make_tls()
        return self._tls


def _check_may_send(request: OutboundRequest) -> None:
    if request.may_send is not None and not request.may_send():
        raise EgressFailed("busy", CODE_CONNECT, "the lease term is over")


def _write_request(request: OutboundRequest) -> bytes:
    assert request.method in _METHODS
    url = request.url
    headers = {"Host": url.host_header, **request.headers}
    assert _OWN_HEADERS.isdisjoint(map(str.lower, request.headers))
    headers.setdefault("Accept-Encoding", "identity")
    if url.authorization is not None:
        headers.setdefault("Authorization", url.authorization)
    if request.body or request.method in {"POST", "PUT"}:
        headers["Content-Length"] = str(len(request.body))
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join((f"{request.method} {url.target} HTTP/1.1", *lines))
    # A line break or NUL inside a value would make two headers of one.
    assert head.count("\n") == head.count("\r") == len(lines)
    assert "\0" not in head
    return head.encode("latin-1") + b"\r\n\r\n" + request.body


def _read_headers(raw: list[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw)
