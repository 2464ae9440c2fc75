"""The path of every call through the server, over HTTP or a WebSocket.

1. The kind and the role of a principal are checked, and an API key is rejected where the auth
   token is required.
2. The form is parsed. An error is not raised yet: the action raises it after the lookups of its
   path, since those come first in the order of checks.
3. A GET runs in one read transaction. Everything else runs in one write transaction, which a
   repeated idempotency key replaces by the stored response.
4. In the transaction: settings are locked, the scope is resolved, the permission checked, the
   action counted against the rates, the action run, and a call of a principal that the audit log
   covers recorded there (``audit.py``). An error rolls all of it back.
   An operation on the server itself (``on_server``) runs after step 2, without a transaction; it
   is recorded before it runs.
5. If a pre-action webhook is subscribed to the call, the transaction of step 4 changes nothing.
   Instead a dry run validates the call and is rolled back, the webhook is called outside any
   transaction, and step 4 is repeated with the parameters that it may have amended. A dry run that
   finds a stored response ends the call: the webhook is not called for a repeated request.
6. After the commit a revoked login is removed from the caches.

No network is used while a transaction is open.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from parlour.operations import access, idempotency, scoping
from parlour.operations.audit import NO_TRAIL, AuditTrail
from parlour.operations.call import (
    AcceptedResult,
    ActionSettings,
    Call,
    OperationResult,
    RevokedLogin,
)
from parlour.store import event_log
from parlour.store.transaction import ALL_ACCOUNTS
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from parlour.operations.operation import ServerAction
    from parlour.operations.parameters import Parameters
    from parlour.operations.server_parts import ServerParts
    from parlour.protocol.forms import FormFields
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import DryRun, EmittedEvent, Store, Transaction

    Act = Callable[[Transaction, Call[Any]], Awaitable[OperationResult]]
    Render = Callable[[Call[Any], OperationResult], bytes]

T = TypeVar("T")


class PreActionHook(Protocol):
    """Called before an action is committed: pre-action webhooks."""

    async def wants(self, tx: Transaction, call: Call[Any]) -> bool:
        """Return whether a webhook is subscribed to the pre-action event of this call."""
        ...

    async def amend(self, call: Call[Any], dry_run: DryRun[Any]) -> Parameters:
        """Return the call's parameters, possibly amended. Raises ApiError to reject it."""
        ...

    async def is_subscribed(self, scope: Scope, event_name: str) -> bool:
        """Return whether a webhook is subscribed to a pre-action event in this scope."""
        ...

    async def check(self, event_name: str, emitted: EmittedEvent) -> None:
        """Call the webhook for a change that is not a call; it cannot amend it. Raises ApiError."""
        ...

    async def amendments(self, event_name: str, emitted: EmittedEvent) -> FormFields:
        """Call the webhook for a change that is not a call; return its amendments as a form.

        Raises ApiError to reject the change.
        """
        ...


class RateCounter(Protocol):
    """Counts calls against rate limits: ``action_rates.py``."""

    async def count(self, tx: Transaction, call: Call[Any]) -> None:
        """Count a call, once its scope is known. Raises ApiError above a limit."""
        ...


class Pipeline:
    """Runs calls through the steps above."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        *,
        on_login_revoked: Callable[[str], None],
        pre_action_hook: PreActionHook | None = None,
        action_rates: RateCounter | None = None,
        settings: ActionSettings | None = None,
        server_parts: ServerParts | None = None,
        audit: AuditTrail = NO_TRAIL,
    ) -> None:
        """``on_login_revoked`` is called with the name of each login that a call revoked.

        ``server_parts`` are passed to the operations on the server itself.
        """
        self._store = store
        self._vault = vault
        self._on_login_revoked = on_login_revoked
        self._pre_action_hook = pre_action_hook
        self.action_rates = action_rates
        self._settings = ActionSettings() if settings is None else settings
        self._server_parts = server_parts
        self.audit = audit
        self._idempotency = idempotency.InFlight()
        self.gate: Callable[[str], Awaitable[None]] | None = None
        """With --test: awaited with the account before each change and read of it."""

    async def run(self, call: Call[Any], render: Render) -> OperationResult:
        """Run one call; return its result after the commit. On ApiError nothing was changed."""
        access.require_principal(call.operation, call.caller, call.resource)
        if call.operation.needs_auth_token:
            # Before the stored response is read, which may contain a secret.
            access.require_auth_token(call.caller)
        call.sealing = self._vault
        call.settings = self._settings
        call.server_parts = self._server_parts
        try:
            call.parsed = call.operation.spec.parameters.parse(call.form)
        except ApiError as error:
            call.parsed = error
        if call.operation.spec.on_server is not None:
            return await self._act_on_server(call, call.operation.spec.on_server)
        if self.gate is not None and not call.operation.for_operators:
            await self.gate(call.caller.account_sid)
        if not call.operation.writes and not self.audit.covers(call):
            return await self._store.read(
                lambda tx: self._act(tx, call), account_sid=_account_of(call)
            )
        if call.idempotency_key is None:
            result = await self._write(call, self._act)
        else:
            call.request_digest = idempotency.digest_of(call)
            async with self._idempotency.enter(call):
                result = await self._write(
                    call, lambda tx, again: idempotency.once(tx, again, self._act, render)
                )
        self.audit.note_read(call)
        if result.revoked is not None:
            self._on_login_revoked(result.revoked)
        return result

    async def _write(self, call: Call[Any], act: Act) -> OperationResult:
        """Run a change, after its pre-action webhook if one is subscribed."""
        hook = self._pre_action_hook_of(call)
        if hook is None:
            return await self._change(call, act)

        async def act_unless_subscribed(tx: Transaction, call: Call[Any]) -> OperationResult | None:
            return None if await hook.wants(tx, call) else await act(tx, call)

        result = await self._change(call, act_unless_subscribed)
        if result is not None:
            return result
        dry_run = await self._store.dry_run(
            lambda tx: act(tx, call), call.origin, account_sid=_account_of(call)
        )
        if dry_run.result.replayed is not None:
            return dry_run.result
        # The call is valid and may wait for seconds: release the unused part of its form.
        call.form = call.operation.spec.parameters.used_part(call.form)
        with _work_suspended(call):
            call.parsed = await hook.amend(call, dry_run)
        return await self._change(call, act)

    async def _change(
        self, call: Call[Any], act: Callable[[Transaction, Call[Any]], Awaitable[T]]
    ) -> T:
        # A store of one process serializes its changes: the scope would not be used. A line of the
        # audit log is outside of any scope.
        has_scope = self._store.is_shared and not self.audit.covers(call)
        return await self._store.write(
            lambda tx: act(tx, call),
            call.origin,
            account_sid=_account_of(call),
            conflict_scope=call.conflict_scope() if has_scope else None,
        )

    def _pre_action_hook_of(self, call: Call[Any]) -> PreActionHook | None:
        """Return the hook if the operation has a pre-action event and the call's origin fires."""
        has_event = call.operation.spec.pre_action is not None and call.origin.fires
        return self._pre_action_hook if has_event else None

    async def _act(self, tx: Transaction, call: Call[Any]) -> OperationResult:
        """Run step 4."""
        if call.operation.is_setting:
            await tx.lock_name("settings", call.caller.account_sid)
        call.scope = await scoping.resolve(tx, call)
        if call.caller.identity is not None:
            await access.check_permission(tx, call)
        if self.action_rates is not None:
            await self.action_rates.count(tx, call)
        if call.wants_event_cursor:
            # Before the rows are read: each later event is after this position.
            position = await event_log.visible_through(tx)
            cursors = self._vault.event_cursors
            call.event_cursor = cursors.write_end(call.caller.account_sid, position)
        result = _result_of(call, await call.operation.spec.action(tx, call))
        if self.audit.covers(call):
            await self.audit.record(tx, call, result.result)
        return result

    async def _act_on_server(self, call: Call[Any], action: ServerAction) -> OperationResult:
        """Run an operation on the server itself, which may wait for other work."""
        assert self._server_parts is not None
        if call.caller.identity is not None:
            raise ApiError(access.PERMISSION_DENIED)
        call.scope = Scope(call.caller.account_sid)
        await self.audit.record_apart(self._store, call)
        with _work_suspended(call):
            return _result_of(call, await action(self._server_parts, call))


def _account_of(call: Call[Any]) -> str:
    """Return the account that limits a transaction; an operator has the rows of all."""
    return ALL_ACCOUNTS if call.operation.for_operators else call.caller.account_sid


def _result_of(call: Call[Any], result: Any) -> OperationResult:
    """Return the result of an action with its status."""
    if isinstance(result, AcceptedResult):
        assert result.status in call.operation.spec.statuses
        return OperationResult(result.status, result.result)
    if isinstance(result, RevokedLogin):
        return OperationResult(call.operation.spec.status, None, revoked=result.login)
    return OperationResult(call.operation.spec.status, result)


@contextmanager
def _work_suspended(call: Call[Any]) -> Iterator[None]:
    """Release the call's work slot while it waits for a webhook."""
    if call.work is None:
        yield
        return
    call.work.suspend()
    try:
        yield
    finally:
        call.work.resume()
