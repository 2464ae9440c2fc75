"""Representations of new access tokens, which are shown once and not stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.tokens.actions import IssuedToken


def resource(issued: IssuedToken, _view: View) -> dict[str, Any]:
    """Return the token for a response."""
    return row(issued)


def row(issued: IssuedToken) -> dict[str, Any]:
    """Return the token, also for the command line."""
    return {
        "token": issued.token,
        "identity": issued.identity,
        "service_sid": issued.service_sid,
        "date_expires": format_date(issued.expires_ms),
    }
