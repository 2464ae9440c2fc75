"""The path of every call: parse, scope, permit, ask before, one transaction, wake the listeners.

No network while a transaction is open. The transaction itself looks up whether a pre-action
webhook is to be asked, and changes nothing then: it is asked on a rehearsal, which is undone
before anybody is called, and the change runs with what the webhook amended. A request that is
sent again with its idempotency key gets its first answer, and nobody is asked.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from parlour.operations import access, idempotency, scoping
from parlour.operations.call import AcceptedResult, Call, OperationResult, RevokedLogin
from parlour.vocabulary import sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from parlour.operations.action_rates import ActionRates
    from parlour.operations.parameters import Parameters
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import DryRun, EmittedEvent, Store, Transaction
    from parlour.vocabulary.scope import Scope

    Act = Callable[[Transaction, Call[Any]], Awaitable[OperationResult]]
    Render = Callable[[Call[Any], OperationResult], bytes]

T = TypeVar("T")


class PreActionHook(Protocol):
    """Whoever may be asked before an action (pre-action webhooks)."""

    async def wants(self, tx: Transaction, call: Call[Any]) -> bool:
        """Whether somebody listens to this call's pre-action event."""
        ...

    async def call(self, call: Call[Any], dry_run: DryRun[Any]) -> Parameters:
        """The parameters to go on with: as said, or amended. Raises ApiError to reject."""
        ...

    async def is_subscribed(self, scope: Scope, event_name: str) -> bool:
        """Whether somebody listens to a pre-action event in this scope."""
        ...

    async def check(self, event_name: str, emitted: EmittedEvent) -> None:
        """Ask about what a change that is no call would tell. Raises ApiError to reject."""
        ...


class Pipeline:
    """Carries calls through their steps."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        *,
        revoked: Callable[[str], None],
        before: PreActionHook | None = None,
        action_rates: ActionRates | None = None,
    ) -> None:
        """``revoked`` is told the name of each login that a call took away."""
        self._store = store
        self._vault = vault
        self._revoked = revoked
        self._before = before
        self._action_rates = action_rates
        self._idempotency = idempotency.InFlight()

    async def run(self, call: Call[Any], render: Render) -> OperationResult:
        """Carry one call through. Raises ApiError, and nothing is changed then."""
        is_key = call.caller.identity is None and sids.is_sid(sids.API_KEY, call.caller.login)
        if call.operation.needs_auth_token and is_key:
            # Before a kept answer is looked up, which may hold a secret.
            raise ApiError(20403)
        call.sealing = self._vault
        try:
            call.parsed = call.operation.spec.parameters.parse(call.form)
        except ApiError as error:
            call.parsed = error  # Raised by the action, after its look-ups.
        if not call.operation.writes:
            return await self._store.read(
                lambda tx: self._act(tx, call), account_sid=call.caller.account_sid
            )
        if call.idempotency_key is None:
            outcome = await self._write(call, self._act)
        else:
            call.request_digest = idempotency.digest_of(call)
            async with self._idempotency.enter(call):
                outcome = await self._write(
                    call, lambda tx, again: idempotency.once(tx, again, self._act, render)
                )
        if outcome.revoked is not None:
            self._revoked(outcome.revoked)
        return outcome

    async def _write(self, call: Call[Any], act: Act) -> OperationResult:
        """Make the change, once whoever is asked before it has agreed."""
        before = self._pre_action_hook(call)
        if before is None:
            return await self._change(call, act)

        async def unless_asked(tx: Transaction, call: Call[Any]) -> OperationResult | None:
            return None if await before.wants(tx, call) else await act(tx, call)

        outcome = await self._change(call, unless_asked)
        if outcome is not None:
            return outcome
        dry_run = await self._store.dry_run(
            lambda tx: act(tx, call), call.origin, account_sid=call.caller.account_sid
        )
        if dry_run.result.replayed is not None:
            return dry_run.result
        # The call is valid, and may wait for seconds: what does not count is not kept meanwhile.
        call.form = call.operation.spec.parameters.used_part(call.form)
        with _outside(call):
            call.parsed = await before.call(call, dry_run)
        return await self._change(call, act)

    async def _change(
        self, call: Call[Any], act: Callable[[Transaction, Call[Any]], Awaitable[T]]
    ) -> T:
        # A store of one process runs one change after the other, however far they reach.
        return await self._store.write(
            lambda tx: act(tx, call),
            call.origin,
            account_sid=call.caller.account_sid,
            conflict_scope=call.conflict_scope() if self._store.is_shared else None,
        )

    def _pre_action_hook(self, call: Call[Any]) -> PreActionHook | None:
        """Who may be asked before this call, if its kind and its origin are asked about at all."""
        is_asked = call.operation.spec.pre_action is not None and call.origin.fires
        return self._before if is_asked else None

    async def _act(self, tx: Transaction, call: Call[Any]) -> OperationResult:
        if call.operation.is_setting:
            await tx.lock_name("settings", call.caller.account_sid)
        call.scope = await scoping.resolve(tx, call)
        if call.caller.identity is not None:
            await access.check_permission(tx, call)
        if self._action_rates is not None:
            await self._action_rates.count(tx, call)
        result = await call.operation.spec.action(tx, call)
        if isinstance(result, AcceptedResult):
            assert result.status in call.operation.spec.statuses
            return OperationResult(result.status, result.result)
        if isinstance(result, RevokedLogin):
            return OperationResult(call.operation.spec.status, None, revoked=result.login)
        return OperationResult(call.operation.spec.status, result)


@contextmanager
def _outside(call: Call[Any]) -> Iterator[None]:
    """Leave the place of a call to others while it waits for a webhook."""
    if call.work is None:
        yield
        return
    call.work.suspend()
    try:
        yield
    finally:
        call.work.resume()
