"""Sessions of the console: opened by a login or a ticket, ended by time, sign-out or revocation.

| state    | condition                                                                         |
|----------|-----------------------------------------------------------------------------------|
| live     | its row exists, its time has not ended, and its login or operator is valid        |
| ended    | idle for `CONSOLE_IDLE_SECONDS`, past its end, or its principal is not valid; the |
|          | row is deleted later                                                              |
| deleted  | by sign-out, by an operator, by the revocation of its key or operator, when its   |
|          | account is suspended or closed, by newer sessions of its principal beyond the     |
|          | limit, and by the retention job                                                   |

In test mode a session ends with the process (``ends`` is 0): tests set the clock forward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.operations.caller import OPERATOR
from parlour.resources.console_sessions import store as console_session_store
from parlour.resources.console_sessions.store import ConsoleSession, ConsoleTicket
from parlour.vocabulary import limits, sids

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

LOCAL: Final = "local"
"""The name of an operator who has a shell on the machine, and no key."""
WITH_PROCESS: Final = 0
"""The end of a session that ends with the process."""
IDLE_MS: Final = limits.CONSOLE_IDLE_SECONDS * 1000
"""The idle timeout of a session."""
_SESSION_MS: Final = limits.CONSOLE_SESSION_SECONDS * 1000
_TOUCH_MS: Final = limits.CONSOLE_TOUCH_SECONDS * 1000
_TICKET_MS: Final = limits.CONSOLE_TICKET_SECONDS * 1000


def session_end_ms(now_ms: int, *, is_test: bool) -> int:
    """Return when a session ends that is opened now."""
    return WITH_PROCESS if is_test else now_ms + _SESSION_MS


# tidy: event-for-change - no webhook shows sessions
async def open_session(
    tx: Transaction,
    *,
    kind: str,
    name: str,
    role: str,
    account_sid: str,
    token_digest: str,
    ends: int,
) -> ConsoleSession:
    """Insert a session. ``account_sid`` is empty for an operator, ``ends`` may be WITH_PROCESS.

    Beyond the limit of a principal its oldest session ends.
    """
    session = ConsoleSession(
        sid=tx.new_sid(sids.CONSOLE_SESSION),
        token_digest=token_digest,
        kind=kind,
        principal_name=name,
        role=role,
        account_sid=account_sid,
        made=tx.now,
        last_used=tx.now,
        ends=ends,
    )
    await console_session_store.insert_session(tx, session)
    await touch_session(tx, session.sid)
    await console_session_store.delete_oldest_of_principal(
        tx, account_sid, name, limits.CONSOLE_SESSIONS_PER_PRINCIPAL_MAX
    )
    return session


async def live_session(tx: Transaction, token_digest: str) -> ConsoleSession | None:
    """Return the session of a token while it is live; see the table above."""
    session = await console_session_store.find_by_token(tx, token_digest)
    if session is None or has_expired(session, tx.now):
        return None
    return session if await _is_principal_valid(tx, session) else None


def has_expired(session: ConsoleSession, now_ms: int) -> bool:
    """Return whether the time of a session has ended."""
    if session.ends == WITH_PROCESS:
        return False
    return now_ms >= min(session.ends, session.last_used + IDLE_MS)


async def _is_principal_valid(tx: Transaction, session: ConsoleSession) -> bool:
    name = session.principal_name
    if session.kind == OPERATOR:
        return name == LOCAL or await console_session_store.has_operator(tx, name)
    made_ms = await console_session_store.login_made_ms(tx, session.account_sid, name)
    if made_ms is None:
        return False
    # In test mode the clock may have been set back.
    return made_ms <= session.made or session.ends == WITH_PROCESS


def is_touch_due(session: ConsoleSession, now_ms: int) -> bool:
    """Return whether the use of a session is to be recorded by `touch_session`."""
    return now_ms - session.last_used >= _TOUCH_MS


# tidy: event-for-change - as above
async def touch_session(tx: Transaction, sid: str) -> None:
    """Record the use of a session, at most once a minute."""
    await console_session_store.touch_session(tx, sid)


# tidy: event-for-change - as above
async def end_session(tx: Transaction, sid: str) -> bool:
    """End a session; return whether it existed."""
    return await console_session_store.delete_session(tx, sid) > 0


# tidy: event-for-change - as above
async def end_sessions_of_processes(tx: Transaction) -> None:
    """End the sessions that end with their process: at the start of the next one."""
    await console_session_store.delete_ending_with_process(tx)


# tidy: event-for-change - as above
async def make_ticket(
    tx: Transaction, *, kind: str, name: str, role: str, account_sid: str, digest: str
) -> None:
    """Insert a ticket that opens one session within a minute."""
    ends = tx.now + _TICKET_MS
    ticket = ConsoleTicket(digest, kind, name, role, account_sid, ends)
    await console_session_store.insert_ticket(tx, ticket)


# tidy: event-for-change - as above
async def redeem_ticket(
    tx: Transaction, digest: str, *, is_test: bool = False
) -> ConsoleTicket | None:
    """Delete a ticket and return it; None if it is unknown, used or expired.

    In test mode it does not expire: the clock of the server is not the one of the command line.
    """
    ticket = await console_session_store.take_ticket(tx, digest)
    if ticket is None or (tx.now >= ticket.ends and not is_test):
        return None
    return ticket
