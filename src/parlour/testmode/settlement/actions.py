"""The action of settlements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.call import AcceptedResult
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.testmode.settlement.parameters import CreateSettlement
    from parlour.testmode.settlement.settler import Settlement
    from parlour.testmode.wiring import TestMode

_ACCEPTED = 202


async def create_settlement(
    parts: TestMode, call: Call[CreateSettlement]
) -> Settlement | AcceptedResult:
    """Wait until all effects of the account's changes have happened; 202 if that takes too long."""
    seconds = call.parameters.given().get("timeout_seconds", limits.SETTLE_SECONDS_DEFAULT)
    result = await parts.settler.settle(seconds * 1000, call.scope.account_sid)
    return result if result.settled else AcceptedResult(_ACCEPTED, result)
