"""The rate limits of accounts with their own ActionsPerSecond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.operations.action_rates import ActionRates

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.pipeline import RateCounter
    from parlour.store.transaction import Transaction
    from parlour.testmode.emulation.emulations import Emulations
    from parlour.vocabulary.clock import Clock


class EmulatedActionRates:
    """Counts each account against its own rate, and the others against the server's."""

    def __init__(self, emulations: Emulations, clock: Clock, of_server: RateCounter | None) -> None:
        """``of_server``: the rates of accounts without their own; None: these have no limit."""
        self._emulations = emulations
        self._clock = clock
        self._of_server = of_server
        self._of_account: dict[str, tuple[int, ActionRates]] = {}

    async def count(self, tx: Transaction, call: Call[Any]) -> None:
        """Count a call. Raises 50063 or 50074, and counts nothing then."""
        rates = self._rates(call.scope.account_sid)
        if rates is not None:
            await rates.count(tx, call)

    def _rates(self, account_sid: str) -> RateCounter | None:
        per_second = self._emulations.of(account_sid).actions_per_second
        if per_second is None:
            return self._of_server
        if not per_second:
            return None
        known = self._of_account.get(account_sid)
        if known is None or known[0] != per_second:
            known = self._of_account[account_sid] = (
                per_second,
                ActionRates(self._clock, per_second),
            )
        return known[1]

    def forget(self, account_sid: str | None) -> None:
        """Discard the counted calls of an account; None: of all accounts."""
        if account_sid is None:
            self._of_account.clear()
        else:
            self._of_account.pop(account_sid, None)
