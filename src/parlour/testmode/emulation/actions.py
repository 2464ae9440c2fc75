"""Actions on the emulation of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from parlour.resources.webhook_retries import actions as webhook_retries_actions
from parlour.resources.webhook_retries import store as webhook_retries_store

if TYPE_CHECKING:
    from parlour.config import Settings
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.store.transaction import Transaction
    from parlour.testmode.emulation.emulations import Emulation, Emulations
    from parlour.testmode.emulation.parameters import UpdateEmulation
    from parlour.testmode.wiring import ServerHandles
    from parlour.vocabulary.scope import Scope


class EmulationParts(Protocol):
    """The parts of test mode that the actions use."""

    @property
    def emulations(self) -> Emulations:
        """The emulations of all accounts."""
        ...

    @property
    def settings(self) -> Settings:
        """The settings of the server, which apply to accounts without their own."""
        ...

    @property
    def handles(self) -> ServerHandles:
        """The parts of the server."""
        ...


class AccountEmulation(msgspec.Struct, frozen=True, kw_only=True):
    """The emulation of an account, with the server's settings for what it does not set."""

    account_sid: str
    actions_per_second: int
    unknown_parameters: str
    webhook_retries: str
    token_clock: str
    latency_ms: int


async def fetch_emulation(mode: EmulationParts, call: Call[NoParameters]) -> AccountEmulation:
    """Return the emulation of the account."""
    return await _view_of(mode, call.scope, mode.emulations.of(call.scope.account_sid))


async def update_emulation(mode: EmulationParts, call: Call[UpdateEmulation]) -> AccountEmulation:
    """Change the emulation of the account, at once."""
    changes = call.parameters.given()
    scope = call.scope
    if "webhook_retries" in changes:
        schedule = changes.pop("webhook_retries")
        await mode.handles.store.write(lambda tx: _save_schedule(tx, scope, schedule))
        mode.handles.signer.evict(scope.account_sid)
    return await _view_of(mode, scope, mode.emulations.change(scope.account_sid, changes))


async def _save_schedule(tx: Transaction, scope: Scope, schedule: str | None) -> None:
    await tx.lock_name("settings", scope.account_sid)
    before = await webhook_retries_store.get_webhook_retries(tx, scope)
    after = msgspec.structs.replace(before, schedule=schedule)
    await webhook_retries_actions.save_webhook_retries(tx, scope, after)


async def _view_of(mode: EmulationParts, scope: Scope, emulation: Emulation) -> AccountEmulation:
    retries = await mode.handles.store.read(
        lambda tx: webhook_retries_store.get_webhook_retries(tx, scope),
        account_sid=scope.account_sid,
    )
    per_second = emulation.actions_per_second
    return AccountEmulation(
        account_sid=scope.account_sid,
        actions_per_second=mode.settings.actions_per_second if per_second is None else per_second,
        unknown_parameters=emulation.unknown_parameters,
        webhook_retries=retries.schedule or mode.settings.webhook_retries,
        token_clock=emulation.token_clock,
        latency_ms=emulation.latency_ms,
    )
