"""The path of every call: parse, scope, ask before, one transaction, wake the listeners.

No network while a transaction is open: a pre-action webhook is asked on a rehearsal, which is
undone before anybody is called; then the change runs again, with what the webhook amended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from parlour.operations import idempotency, scoping
from parlour.operations.call import Accepted, Call, Outcome, Revoked
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.operations.parameters import Parameters
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import Rehearsal, Store, Transaction

Render = "Callable[[Call[Any], Outcome], bytes]"


class Before(Protocol):
    """Whoever may be asked before an action (pre-action webhooks)."""

    async def wants(self, call: Call[Any]) -> bool:
        """Whether somebody listens to this call's pre-action event. Opens no transaction."""
        ...

    async def ask(self, call: Call[Any], rehearsal: Rehearsal[Any]) -> Parameters:
        """The parameters to go on with: as said, or amended. Raises ApiError to reject."""
        ...


class Pipeline:
    """Carries calls through their steps."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        *,
        revoked: Callable[[str], None],
        before: Before | None = None,
    ) -> None:
        """``revoked`` is told the name of each login that a call took away."""
        self._store = store
        self._vault = vault
        self._revoked = revoked
        self._before = before
        self._idempotency = idempotency.InFlight()

    async def run(self, call: Call[Any], render: Callable[[Call[Any], Outcome], bytes]) -> Outcome:
        """Carry one call through. Raises ApiError, and nothing is changed then."""
        call.sealing = self._vault
        deed = call.operation.deed
        try:
            call.parsed = deed.parameters.parse(call.form)
        except ApiError as error:
            call.parsed = error  # Raised by the action, after its look-ups.
        if not call.operation.writes:
            return await self._store.read(lambda tx: self._act(tx, call))
        if self._before is not None and deed.before is not None and call.origin.fires:
            await self._ask_before(self._before, call)
        outcome = await self._write(call, render)
        if outcome.revoked is not None:
            self._revoked(outcome.revoked)
        return outcome

    async def _write(
        self, call: Call[Any], render: Callable[[Call[Any], Outcome], bytes]
    ) -> Outcome:
        if call.idempotency_key is None:
            return await self._store.write(lambda tx: self._act(tx, call), call.origin)
        async with self._idempotency.enter(call):
            return await self._store.write(
                lambda tx: idempotency.once(tx, call, self._act, render), call.origin
            )

    async def _ask_before(self, before: Before, call: Call[Any]) -> None:
        if await before.wants(call):
            rehearsal = await self._store.rehearse(lambda tx: self._act(tx, call), call.origin)
            call.parsed = await before.ask(call, rehearsal)

    async def _act(self, tx: Transaction, call: Call[Any]) -> Outcome:
        call.scope = await scoping.resolve(tx, call)
        result = await call.operation.deed.action(tx, call)
        if isinstance(result, Accepted):
            assert result.status in call.operation.deed.statuses
            return Outcome(result.status, result.result)
        if isinstance(result, Revoked):
            return Outcome(call.operation.deed.status, None, revoked=result.login)
        return Outcome(call.operation.deed.status, result)
