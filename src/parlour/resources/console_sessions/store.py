"""Rows of console sessions and tickets. An operator's rows belong to no account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.store.statements import insert, statement, values_of, window
from parlour.store.windows import read_window
from parlour.vocabulary import limits
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction


class ConsoleSession(Redacted, msgspec.Struct, frozen=True):
    """A session. ``ends`` is 0 for one that ends with the process: in test mode."""

    sid: str
    token_digest: str
    kind: str
    principal_name: str
    role: str
    account_sid: str
    """Empty for an operator."""
    made: int
    last_used: int
    ends: int

    secret_fields = frozenset({"token_digest"})


class ListedSession(ConsoleSession, frozen=True):
    """A session with the name of its operator; None for an account, and for an operator's ticket.

    ``principal_name`` is the SID of the operator.
    """

    operator_name: str | None


class ConsoleTicket(Redacted, msgspec.Struct, frozen=True):
    """A ticket, which opens one session for this principal until it ends."""

    digest: str
    kind: str
    principal_name: str
    role: str
    account_sid: str
    ends: int

    secret_fields = frozenset({"digest"})


INSERT_SESSION = insert("console_session", ConsoleSession)
FETCH_BY_TOKEN = statement(
    # tidy: account-in-sql - the session is found by its secret; its account is in the result
    "SELECT {columns} FROM console_session WHERE token_digest = $1",
    ConsoleSession,
)
FETCH_SESSION = statement(
    # tidy: account-in-sql - for operators, over all accounts
    "SELECT {columns} FROM console_session WHERE sid = $1",
    ConsoleSession,
)
LIST_SESSIONS = window(
    # tidy: account-in-sql - for operators, over all accounts
    "SELECT {columns}, (SELECT name FROM operator WHERE operator.sid = principal_name)"
    " FROM console_session WHERE (ends = 0 OR ends > $1 AND last_used > $2)",
    ConsoleSession,
    order="made",
    arguments=2,
    descending=True,
)
# tidy: account-in-sql - as above
TOUCH_SESSION = "UPDATE console_session SET last_used = $2 WHERE sid = $1 AND last_used < $3"
# tidy: account-in-sql - as above
TOUCH_OPERATOR = """
UPDATE operator SET last_used = $2
 WHERE sid = (SELECT principal_name FROM console_session WHERE sid = $1) AND last_used < $3
"""
# tidy: account-in-sql - as above
DELETE_SESSION = "DELETE FROM console_session WHERE sid = $1"
DELETE_OF_PRINCIPAL = """
DELETE FROM console_session WHERE account_sid = $1 AND principal_name = $2
"""
DELETE_OF_ACCOUNT = "DELETE FROM console_session WHERE account_sid = $1"
# Few rows: of one principal, which are limited. OFFSET is in a sub-query, since the batching
# of reads in store/postgres appends another one.
FIRST_EXCESS = """
SELECT made, sid FROM (
 SELECT made, sid FROM console_session WHERE account_sid = $1 AND principal_name = $2
  ORDER BY made DESC, sid DESC LIMIT 1 OFFSET $3
) AS first_excess
"""
DELETE_EXCESS = """
DELETE FROM console_session WHERE account_sid = $1 AND principal_name = $2
   AND (made, sid) <= ($3, $4)
"""
# tidy: account-in-sql - as above
DELETE_ENDING_WITH_PROCESS = "DELETE FROM console_session WHERE ends = 0"
# A login that was created again after its session has another secret.
HAS_LOGIN = """
SELECT login.date_created FROM login
  JOIN account ON account.sid = $1 AND account.status = 'active'
 WHERE login.account_sid = $1 AND login.name = $2 ORDER BY login.ordinal LIMIT 1
"""
HAS_OPERATOR = "SELECT 1 FROM operator WHERE sid = $1 AND date_revoked IS NULL"
# tidy: account-in-sql - idle sessions are deleted for all accounts
OLDEST_USE = """
SELECT last_used FROM console_session WHERE ends > 0 ORDER BY last_used LIMIT 1
"""
# tidy: account-in-sql - as above
EXPIRE_SESSIONS = """
DELETE FROM console_session WHERE sid IN (
    SELECT sid FROM console_session WHERE ends > 0 AND last_used <= $1
     ORDER BY last_used LIMIT $2)
"""

INSERT_TICKET = insert("console_ticket", ConsoleTicket)
FETCH_TICKET = statement(
    # tidy: account-in-sql - the ticket is found by its secret; its account is in the result
    "SELECT {columns} FROM console_ticket WHERE digest = $1",
    ConsoleTicket,
)
# tidy: account-in-sql - as above
DELETE_TICKET = "DELETE FROM console_ticket WHERE digest = $1"
# tidy: account-in-sql - expired tickets are deleted for all accounts
FIRST_END = "SELECT ends FROM console_ticket ORDER BY ends LIMIT 1"
# tidy: account-in-sql - as above
EXPIRE_TICKETS = """
DELETE FROM console_ticket WHERE digest IN (
    SELECT digest FROM console_ticket WHERE ends <= $1 ORDER BY ends LIMIT $2)
"""
_TOUCH_MS: Final = limits.CONSOLE_TOUCH_SECONDS * 1000
_TOUCH_OPERATOR_MS: Final = limits.OPERATOR_TOUCH_SECONDS * 1000


async def insert_session(tx: Transaction, session: ConsoleSession) -> None:
    """Insert a session."""
    await tx.run(INSERT_SESSION, *values_of(session))


# tidy: scope-first - the account is the result
async def find_by_token(tx: Transaction, token_digest: str) -> ConsoleSession | None:
    """Return the session of a token, also an ended one."""
    row = await tx.one(FETCH_BY_TOKEN, token_digest)
    return ConsoleSession(*row) if row else None


# tidy: scope-first - for operators, over all accounts
async def find_session(tx: Transaction, sid: str) -> ConsoleSession | None:
    """Return a session, also an ended one."""
    row = await tx.one(FETCH_SESSION, sid)
    return ConsoleSession(*row) if row else None


# tidy: scope-first - as above
async def list_sessions(
    tx: Transaction, request: PageRequest, idle_since_ms: int
) -> list[ListedSession]:
    """Return the sessions whose time has not ended, newest first."""
    rows = await read_window(tx, LIST_SESSIONS, request, tx.now, idle_since_ms)
    return [ListedSession(*row) for row in rows]


# tidy: scope-first - the session is authenticated
async def touch_session(tx: Transaction, sid: str) -> None:
    """Record the use of a session once a minute, and of its operator once an hour."""
    await tx.run(TOUCH_SESSION, sid, tx.now, tx.now - _TOUCH_MS + 1)
    await tx.run(TOUCH_OPERATOR, sid, tx.now, tx.now - _TOUCH_OPERATOR_MS + 1)


# tidy: scope-first - as above
async def delete_session(tx: Transaction, sid: str) -> int:
    """Delete a session; return the number of rows."""
    return await tx.run(DELETE_SESSION, sid)


# tidy: scope-first - the account of an operator's sessions is empty
async def delete_of_principal(tx: Transaction, account_sid: str, principal_name: str) -> None:
    """Delete the sessions of a login, or of an operator, whose account is empty."""
    await tx.run(DELETE_OF_PRINCIPAL, account_sid, principal_name)


# tidy: scope-first - as above
async def delete_oldest_of_principal(
    tx: Transaction, account_sid: str, principal_name: str, count_max: int
) -> None:
    """Delete the oldest sessions of a login or an operator beyond a number of them."""
    row = await tx.one(FIRST_EXCESS, account_sid, principal_name, count_max)
    if row is not None:
        await tx.run(DELETE_EXCESS, account_sid, principal_name, *row)


# tidy: scope-first - as above
async def delete_of_account(tx: Transaction, account_sid: str) -> None:
    """Delete all sessions of an account."""
    await tx.run(DELETE_OF_ACCOUNT, account_sid)


# tidy: scope-first - for all accounts
async def delete_ending_with_process(tx: Transaction) -> None:
    """Delete the sessions of earlier processes in test mode."""
    await tx.run(DELETE_ENDING_WITH_PROCESS)


# tidy: scope-first - an operator has no account
async def has_operator(tx: Transaction, sid: str) -> bool:
    """Return whether there is an operator that is not revoked."""
    return await tx.one(HAS_OPERATOR, sid) is not None


# tidy: scope-first - the account is of an authenticated session
async def login_made_ms(tx: Transaction, account_sid: str, name: str) -> int | None:
    """Return when a login was created; None without one, and if its account is not active."""
    row = await tx.one(HAS_LOGIN, account_sid, name)
    return int(row[0]) if row else None


async def insert_ticket(tx: Transaction, ticket: ConsoleTicket) -> None:
    """Insert a ticket."""
    await tx.run(INSERT_TICKET, *values_of(ticket))


# tidy: scope-first - the account is the result
async def take_ticket(tx: Transaction, digest: str) -> ConsoleTicket | None:
    """Delete a ticket and return it; None if there is none any more."""
    row = await tx.one(FETCH_TICKET, digest)
    if row is None or not await tx.run(DELETE_TICKET, digest):
        return None
    return ConsoleTicket(*row)


# tidy: scope-first - for all accounts
async def oldest_use_ms(tx: Transaction) -> int | None:
    """Return the last use of the session that is idle for the longest time."""
    row = await tx.one(OLDEST_USE)
    return int(row[0]) if row else None


# tidy: scope-first - as above
async def first_ticket_end_ms(tx: Transaction) -> int | None:
    """Return when the next ticket expires."""
    row = await tx.one(FIRST_END)
    return int(row[0]) if row else None


# tidy: scope-first - as above
async def delete_expired(tx: Transaction, idle_since_ms: int) -> None:
    """Delete a batch of sessions without a use since then, and of expired tickets."""
    await tx.run(EXPIRE_SESSIONS, idle_since_ms, limits.CONSOLE_EXPIRED_PER_STEP_MAX)
    await tx.run(EXPIRE_TICKETS, tx.now, limits.CONSOLE_EXPIRED_PER_STEP_MAX)
