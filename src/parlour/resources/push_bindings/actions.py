"""What happens to push bindings through the API: they are looked at and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.operations.call import Rows
from parlour.resources.push_bindings import registrations as push_binding_registrations
from parlour.resources.push_bindings import store as push_binding_store
from parlour.vocabulary import sids

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.push_bindings.parameters import ListPushBindings
    from parlour.resources.push_bindings.store import PushBinding
    from parlour.store.transaction import Transaction


async def push_binding_in_path(tx: Transaction, call: Call[Any]) -> PushBinding:
    """The binding that the path names. Raises 404."""
    sid = call.path["Sid"]
    found = None
    if sids.is_sid(sids.PUSH_BINDING, sid):
        found = await push_binding_store.find_push_binding(tx, call.scope, sids.normal(sid))
    if found is None:
        raise call.not_found()
    return found


async def list_push_bindings(tx: Transaction, call: Call[ListPushBindings]) -> Rows:
    """A page of the service's bindings."""
    said = call.parameters
    found = await push_binding_store.list_push_bindings(
        tx,
        call.scope,
        call.page_request,
        types=said.types(),
        identities=said.identities(),
    )
    return Rows(found)


async def fetch_push_binding(tx: Transaction, call: Call[NoParameters]) -> PushBinding:
    """One binding."""
    return await push_binding_in_path(tx, call)


async def delete_push_binding(tx: Transaction, call: Call[NoParameters]) -> None:
    """Remove a binding: nothing is pushed to its device until it registers again."""
    binding = await push_binding_in_path(tx, call)
    await push_binding_registrations.remove_push_binding(tx, call.scope, binding)
