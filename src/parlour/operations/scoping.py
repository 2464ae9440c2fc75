"""Resolution of caller and path to a Scope, which confines all queries to one tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.operations.operation import UrlForm
from parlour.vocabulary import sids
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.store.transaction import Transaction

SERVICE_EXISTS = "SELECT sid FROM service WHERE account_sid = $1 AND sid = $2"
DEFAULT_SERVICE = "SELECT default_chat_service_sid FROM configuration WHERE account_sid = $1"


async def service_exists(tx: Transaction, scope: Scope) -> bool:
    """Return whether the service exists; rows below a deleted one exist until they are purged."""
    return await tx.one_cached(SERVICE_EXISTS, scope.account_sid, scope.service_sid) is not None


async def service_is_in_account(tx: Transaction, scope: Scope, service_sid: str) -> bool:
    """Return whether the account has this service now: read without a cache."""
    return await tx.one(SERVICE_EXISTS, scope.account_sid, service_sid) is not None


async def resolve(tx: Transaction, call: Call[Any]) -> Scope:
    """Return the scope of a call. Raises 404 for a service of another account."""
    account_sid = call.caller.account_sid
    if call.operation.url_form is UrlForm.ACCOUNT:
        return Scope(account_sid)
    if call.operation.url_form is UrlForm.SHORT:
        row = await tx.one_cached(DEFAULT_SERVICE, account_sid)
        assert row is not None, "every account has a configuration"
        return Scope(account_sid, row[0])
    service_sid = sids.parse(sids.SERVICE, call.path["ChatServiceSid"])
    if service_sid is None:
        raise call.not_found(50050)
    row = await tx.one_cached(SERVICE_EXISTS, account_sid, service_sid)
    if row is None:
        raise call.not_found(50050)
    return Scope(account_sid, row[0])
