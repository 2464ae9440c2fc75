"""The action of a reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations.access import require_auth_token
from parlour.testmode.reset.parameters import ACCOUNT_SCOPE, SERVER_SCOPE
from parlour.vocabulary.unset import Unset

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.testmode.reset.parameters import CreateReset
    from parlour.testmode.wiring import TestMode


class ResetResult(msgspec.Struct, frozen=True):
    """The extent of a reset, and how long it took in real time."""

    scope: str
    account_sid: str | None
    elapsed_ms: int


async def create_reset(test_mode: TestMode, call: Call[CreateReset]) -> ResetResult:
    """Reset the account of the caller, or the server."""
    asked = call.parameters
    random_seed = None if isinstance(asked.random_seed, Unset) else asked.random_seed
    started_ms = test_mode.clock.monotonic_ms()
    if asked.scope == SERVER_SCOPE:
        require_auth_token(call.caller)
        account_sid, scope = None, SERVER_SCOPE
        await test_mode.resetter.reset_server(random_seed)
    else:
        account_sid, scope = call.scope.account_sid, ACCOUNT_SCOPE
        await test_mode.resetter.reset_account(account_sid, random_seed)
    elapsed_ms = round(test_mode.clock.monotonic_ms() - started_ms)
    return ResetResult(scope, account_sid, elapsed_ms)
