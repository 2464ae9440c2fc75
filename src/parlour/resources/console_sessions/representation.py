"""The JSON of a session of the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date_ms

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.console_sessions.store import ListedSession


def resource(session: ListedSession, view: View) -> dict[str, Any]:
    """Return a session; ``ends`` is null for one that ends with the process (test mode)."""
    root = view.root_url.removesuffix("/v1")
    return {
        "sid": session.sid,
        "principal": {
            "kind": session.kind,
            "name": session.principal_name,
            "role": session.role,
        },
        "operator_name": session.operator_name,
        "account_sid": session.account_sid or None,
        "date_created": format_date_ms(session.made),
        "last_used": format_date_ms(session.last_used),
        "ends": format_date_ms(session.ends) if session.ends else None,
        "url": f"{root}/parlour/v1/Operator/Sessions/{session.sid}",
    }
