"""The sessions of the console as this process uses them: found by their cookie, checked, ended.

Their rows are shared by all nodes (resources/console_sessions), and read for each request: a
session that ends on one node ends on all. A stream checks its session every
CONSOLE_STREAM_CHECK_SECONDS; if the session ends on this node, its streams end at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from parlour.console.cookies import token_of
from parlour.operations.caller import OPERATOR, Caller, Principal
from parlour.resources.console_sessions import lifecycle as console_session_lifecycle
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.http.messages import Request
    from parlour.protocol.vault import Vault
    from parlour.resources.console_sessions.store import ConsoleSession
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random

_TOKEN_BYTES: Final = 32
_TOKEN: Final = re.compile(rf"[0-9a-f]{{{2 * _TOKEN_BYTES}}}\Z")


class NewPrincipal(msgspec.Struct, frozen=True):
    """The principal of a session that is about to be opened."""

    kind: str
    name: str
    role: str
    account_sid: str = ""
    """Empty for an operator."""


class Sessions:
    """The sessions of a server."""

    def __init__(
        self, store: Store, vault: Vault, clock: Clock, random: Random, *, is_test: bool
    ) -> None:
        """``random`` makes tokens; in test mode sessions end with the process."""
        self._store = store
        self._vault = vault
        self._clock = clock
        self._random = random
        self._is_test = is_test
        self._streams: dict[str, set[SessionRequest]] = {}
        """Requests that end with their session, by the SID of the session."""

    def digest_of(self, request: Request, scheme: str) -> str:
        """Return the digest of the token of a request; empty without one that could be right."""
        token = token_of(request, scheme)
        return self._vault.digest(token) if _TOKEN.match(token) else ""

    async def find(self, request: Request, scheme: str) -> ConsoleSession | None:
        """Return the live session of a request that has just signed in; None without one."""
        digest = self.digest_of(request, scheme)
        return await self.live(digest) if digest else None

    async def live(self, digest: str) -> ConsoleSession | None:
        """Return the session with this digest of its token, if it is live."""
        return await self._store.read(lambda tx: console_session_lifecycle.live_session(tx, digest))

    async def record_use(self, session: ConsoleSession) -> None:
        """Record the use of a session."""
        if console_session_lifecycle.is_touch_due(session, self._clock.now_ms()):
            await self._store.write(
                lambda tx: console_session_lifecycle.touch_session(tx, session.sid)
            )

    async def open(
        self, principal: NewPrincipal, replaced: ConsoleSession | None
    ) -> tuple[ConsoleSession, str]:
        """Open a session in place of another one; return it and its token."""
        token = self._random.token(_TOKEN_BYTES).hex()
        ends = console_session_lifecycle.session_end_ms(self._clock.now_ms(), is_test=self._is_test)
        opened = await self._store.write(
            lambda tx: console_session_lifecycle.open_session(
                tx,
                kind=principal.kind,
                name=principal.name,
                role=principal.role,
                account_sid=principal.account_sid,
                token_digest=self._vault.digest(token),
                ends=ends,
            )
        )
        if replaced is not None:
            await self.end(replaced)
        return opened, token

    async def end(self, session: ConsoleSession) -> None:
        """End a session, and the streams of it in this process."""
        await self._store.write(lambda tx: console_session_lifecycle.end_session(tx, session.sid))
        for each in list(self._streams.get(session.sid, ())):
            each.end()

    def request_of(
        self, session: ConsoleSession, account_sid: str, leave: Callable[[], None]
    ) -> SessionRequest:
        """Return the part of a request that knows its session; ``leave`` releases its slot."""
        return SessionRequest(self, session, caller_of(session, account_sid), leave)

    def add_stream(self, session_sid: str, request: SessionRequest) -> None:
        """End a request together with its session."""
        self._streams.setdefault(session_sid, set()).add(request)

    def remove_stream(self, session_sid: str, request: SessionRequest) -> None:
        """Leave a request alone when its session ends."""
        found = self._streams.get(session_sid)
        if found is not None:
            found.discard(request)
            if not found:
                del self._streams[session_sid]


class SessionRequest:
    """A request of a session: see `parlour.http.messages.RequestSession`."""

    def __init__(
        self, sessions: Sessions, session: ConsoleSession, caller: Caller, leave: Callable[[], None]
    ) -> None:
        self._sessions = sessions
        self._session = session
        self.caller = caller
        self._leave: Callable[[], None] | None = leave
        self._end: Callable[[], None] | None = None

    async def check(self) -> None:
        """Raise 401 if the session has ended."""
        if await self._sessions.live(self._session.token_digest) is None:
            raise no_session()

    def on_end(self, end: Callable[[], None] | None) -> None:
        """Set the callback for the end of the session in this process."""
        self._end = end
        if end is None:
            self._sessions.remove_stream(self._session.sid, self)
        else:
            self._sessions.add_stream(self._session.sid, self)

    def end(self) -> None:
        """End the request: its session has ended."""
        if self._end is not None:
            self._end()

    def leave(self) -> None:
        """Release the slot of the request, unless it is released already."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()


def no_session() -> ApiError:
    """Return the error of a request without a live session. A challenge would open a dialogue."""
    return ApiError(20003)


def principal_of(session: ConsoleSession) -> Principal:
    """Return the principal of a session."""
    return Principal(session.kind, session.principal_name, session.role, session.sid)


def caller_of(session: ConsoleSession, account_sid: str) -> Caller:
    """Return the caller of a session in an account; an empty SID: of operations of the server.

    An operator acts with all rights of an account, within its role.
    """
    login = session.principal_name
    if session.kind == OPERATOR and account_sid:
        login = account_sid
    return Caller(account_sid, login, principal=principal_of(session))
