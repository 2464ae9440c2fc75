"""The JSON of a line of the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date_ms

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.console_audit.store import ListedAuditLine


def resource(line: ListedAuditLine, _view: View) -> dict[str, Any]:
    """Return a line; ``session_sid`` is null for a call with HTTP Basic."""
    return {
        "sid": line.sid,
        "date": format_date_ms(line.date),
        "principal": {
            "kind": line.principal_kind,
            "name": line.principal_name,
            "role": line.role,
        },
        "operator_name": line.operator_name,
        "session_sid": line.session_sid or None,
        "operation": line.operation,
        "subject_sid": line.subject_sid or None,
        "account_sid": line.account_sid or None,
    }
