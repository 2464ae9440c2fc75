"""The action of a reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations.access import require_auth_token
from parlour.testmode.reset.parameters import ACCOUNT_SCOPE, SERVER_SCOPE
from parlour.vocabulary.errors import ApiError
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
    """Reset the account of the caller, or the server.

    ``Seed=start`` loads the seeds of the start again; of an account alone, without those keys that
    change the server.
    """
    asked = call.parameters
    is_seeded = not isinstance(asked.seed, Unset)
    if is_seeded and not test_mode.settings.seed:
        raise ApiError(20001, "The server was started without a seed.")
    random_seed = None if isinstance(asked.random_seed, Unset) else asked.random_seed
    if random_seed is not None:
        # The sequences of SIDs are shared by all accounts.
        require_auth_token(call.caller)
    started_ms = test_mode.clock.monotonic_ms()
    if asked.scope == SERVER_SCOPE:
        require_auth_token(call.caller)
        account_sid, scope = None, SERVER_SCOPE
        await test_mode.resetter.reset_server(random_seed)
        if is_seeded:
            await _load_seeds(test_mode, test_mode.settings.account_sid, may_steer=True)
    else:
        account_sid, scope = call.scope.account_sid, ACCOUNT_SCOPE
        await test_mode.resetter.reset_account(account_sid, random_seed)
        if is_seeded:
            await _load_seeds(test_mode, account_sid, may_steer=False)
    elapsed_ms = round(test_mode.clock.monotonic_ms() - started_ms)
    return ResetResult(scope, account_sid, elapsed_ms)


async def _load_seeds(test_mode: TestMode, account_sid: str, *, may_steer: bool) -> None:
    """Load the seeds of the start. Raises 20001 if they do not fit this account."""
    from parlour.testmode.seeds.files import SeedFileError  # noqa: PLC0415 - not for a start.

    try:
        await test_mode.seed_files.load(account_sid, may_steer=may_steer)
    except SeedFileError as error:
        raise ApiError(20001, str(error)) from None
