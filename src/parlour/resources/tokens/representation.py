"""Representations of new access tokens, which are shown once and not stored, and of checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.access_tokens import TokenCheck
from parlour.protocol.timestamps import format_date

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.operations.server_parts import TokenReport
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


def check_resource(report: TokenReport, _view: View) -> dict[str, Any]:
    """Return each check of a token: passed, failed with code and message, or not reached."""
    return {
        "valid": not report.code,
        "checks": [_check(report, position, each) for position, each in enumerate(TokenCheck)],
        "header": report.header,
        "payload": report.claims,
        "date_expires": None if report.expires_ms is None else format_date(report.expires_ms),
    }


def _check(report: TokenReport, position: int, check: TokenCheck) -> dict[str, Any]:
    has_failed = position == len(report.passed)
    return {
        "name": check.value,
        "passed": None if position > len(report.passed) else not has_failed,
        "code": report.code if has_failed else None,
        "message": report.reason if has_failed else None,
    }
