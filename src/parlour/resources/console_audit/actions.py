"""The action of the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.call import Rows
from parlour.resources.console_audit import store as console_audit_store

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.resources.console_audit.parameters import ListAuditLines
    from parlour.store.transaction import Transaction


async def list_audit_lines(tx: Transaction, call: Call[ListAuditLines]) -> Rows:
    """Return a page of the log, newest first."""
    filters = call.parameters.filters()
    return Rows(await console_audit_store.list_lines(tx, filters, call.page_request))
