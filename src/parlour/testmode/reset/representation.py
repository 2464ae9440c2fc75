"""The representation of a reset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.testmode.reset.actions import ResetResult


def resource(reset: ResetResult, _view: View) -> dict[str, Any]:
    """Return the extent of a reset for a response."""
    return {
        "scope": reset.scope,
        "account_sid": reset.account_sid,
        "elapsed_ms": reset.elapsed_ms,
    }
