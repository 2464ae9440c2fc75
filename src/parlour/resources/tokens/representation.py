"""Representations of new access tokens, which are shown once and not stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.tokens.actions import IssuedToken


def resource(made: IssuedToken, _view: View) -> dict[str, Any]:
    """Return the token for a response."""
    return row(made)


def row(made: IssuedToken) -> dict[str, Any]:
    """Return the token, also for the command line."""
    return {
        "token": made.token,
        "identity": made.identity,
        "service_sid": made.service_sid,
        "date_expires": format_date(made.expires_ms),
    }
