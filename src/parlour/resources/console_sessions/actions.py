"""Actions of the sessions of the console: operators list and end them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.call import Rows
from parlour.resources.console_sessions import store as console_session_store
from parlour.resources.console_sessions.lifecycle import IDLE_MS, end_session
from parlour.vocabulary import sids

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.store.transaction import Transaction


async def list_console_sessions(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """Return a page of the sessions whose time has not ended, newest first."""
    rows = await console_session_store.list_sessions(tx, call.page_request, tx.now - IDLE_MS)
    return Rows(rows, order="made")


async def delete_console_session(tx: Transaction, call: Call[NoParameters]) -> None:
    """End a session."""
    sid = sids.parse(sids.CONSOLE_SESSION, call.path["Sid"])
    if sid is None or not await end_session(tx, sid):
        raise call.not_found()
