"""The gate: the checks between a request of the page and an operation of the API.

In this order, and each before the next:

| check                                                                | else                      |
|----------------------------------------------------------------------|---------------------------|
| the server is meant by the ``Host`` (hosts.py)                       | 421                       |
| the session is live; unknown ones are looked up within limits        | 401, 429                  |
| a change comes from our own page; a read from no other site          | 403                       |
| the account is the session's, or exists, for an operator             | 404                       |
| the role allows it, and the operation is shown to it (visibility.py) | 403                       |
| there is a slot in the class of the console                          | 429                       |

Credentials in headers are not read here, and the cookie is not read elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.console import visibility
from parlour.console.inner_paths import parse_inner_path
from parlour.console.session_lookups import SessionLookups
from parlour.console.sessions import no_session, principal_of
from parlour.operations.admission import Admission
from parlour.operations.caller import OPERATOR
from parlour.resources.accounts import store as account_store
from parlour.vocabulary import limits
from parlour.vocabulary.errors import RETRY_AFTER, ApiError
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.console.hosts import ConsoleHosts
    from parlour.console.inner_paths import InnerPath
    from parlour.console.sessions import Sessions
    from parlour.http.console_requests import GatedOperations
    from parlour.http.messages import Request, Response
    from parlour.resources.console_sessions.store import ConsoleSession
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock

_READS: Final = frozenset({"GET", "HEAD"})
_ANONYMOUS: Final = ""
"""The name under which clients without a session share slots."""
_UNKNOWN_RETRY: Final = {"Retry-After": str(limits.SIGN_IN_FAILURES_SECONDS)}
_MAY_NOT_CHANGE: Final = "Your role may not change anything."


class Gate:
    """Checks requests, and passes them on to their operations."""

    def __init__(
        self,
        operations: GatedOperations,
        sessions: Sessions,
        hosts: ConsoleHosts,
        store: Store,
        clock: Clock,
        *,
        shows_bodies: bool,
    ) -> None:
        """``shows_bodies``: operators may see bodies, if their role may."""
        self._operations = operations
        self._sessions = sessions
        self._hosts = hosts
        self._store = store
        self._shows_bodies = shows_bodies
        self._clock = clock
        self._lookups = SessionLookups()
        self._admission = Admission(
            clock,
            in_all_max=limits.CONSOLE_REQUESTS_MAX,
            of_account_max=limits.CONSOLE_REQUESTS_MAX,
        )

    async def respond(self, request: Request) -> Response:
        """Return the response of an operation. Raises ApiError."""
        session = await self.find_session(request)
        if session is None:
            raise no_session()
        is_read = request.method in _READS
        if is_read:
            self._hosts.check_read(request)
        else:
            self._hosts.check_change(request)
        inner = parse_inner_path(request.path)
        await self._check_account(session, inner, is_read=is_read)
        if not is_read and not principal_of(session).may_change:
            raise ApiError(20403, _MAY_NOT_CHANGE)
        hides = not self.shows_bodies_to(session)
        if hides:
            operation = self._operations.find(inner.path, request.method)
            visibility.check(None if operation is None else operation.operation_id)
        leave = self.enter(session.principal_name)
        handle = self._sessions.request_of(session, inner.account_sid, leave)
        # From now on the server releases the slot (http/request_slots.py).
        request.session = handle
        await self._sessions.record_use(session)
        request.exchange.assign_account(f"console {session.principal_name}", "")
        response = await self._operations.respond(request, inner.path, handle)
        if not hides:
            return response
        hides_queries = not principal_of(session).may_change
        return visibility.redacted(request.operation_id, response, hides_queries=hides_queries)

    async def find_session(self, request: Request) -> ConsoleSession | None:
        """Return the live session of a request; None without one. Raises 429."""
        digest = self._sessions.digest_of(request, self._hosts.scheme_of(request))
        if not digest:
            return None
        address, lookups = self._hosts.address_of(request), self._lookups
        if lookups.has_found(digest):
            session = await self._sessions.live(digest)
        else:
            if lookups.is_blocked(address, self._clock.monotonic_ms()):
                raise ApiError(20429, headers=_UNKNOWN_RETRY)
            leave = self.enter_unknown(address)
            try:
                session = await self._sessions.live(digest)
            finally:
                leave()
        now_ms = self._clock.monotonic_ms()
        lookups.record(digest, address, now_ms, is_found=session is not None)
        return session

    def shows_bodies_to(self, session: ConsoleSession) -> bool:
        """Return whether a session may see bodies, attributes, media and parameters."""
        if session.kind != OPERATOR:
            return True
        return self._shows_bodies and session.role != visibility.ROLE_WITHOUT_BODIES

    def enter_unknown(self, address: str) -> Callable[[], None]:
        """Take a slot for a sign-in, or the lookup of a session. Raises 429.

        All of them share slots fairly by address.
        """
        return self.enter(_ANONYMOUS, address)

    def enter(self, name: str, address: str | None = None) -> Callable[[], None]:
        """Take a slot for a principal; return what releases it. Raises 429."""
        try:
            self._admission.enter(name, address)
        except ApiError:
            raise ApiError(20429, headers=RETRY_AFTER) from None
        return lambda: self._admission.leave(name, address)

    async def _check_account(
        self, session: ConsoleSession, inner: InnerPath, *, is_read: bool
    ) -> None:
        """Raise 404 for an account that the session may not see, 403 for an inactive one."""
        if session.kind != OPERATOR:
            # A live session's account is active.
            if inner.account_sid != session.account_sid:
                raise ApiError.not_found(inner.path)
            return
        if not inner.account_sid:
            return
        scope = Scope(inner.account_sid)
        account = await self._store.read(lambda tx: account_store.find_account(tx, scope))
        if account is None:
            raise ApiError.not_found(inner.path)
        if account.status != "active" and not is_read:
            raise ApiError(20005)
