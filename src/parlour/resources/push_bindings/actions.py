"""Actions on push bindings through the API: read and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.call import Rows
from parlour.resources.in_path import in_path
from parlour.resources.push_bindings import registrations as push_binding_registrations
from parlour.resources.push_bindings import store as push_binding_store
from parlour.vocabulary import sids

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.push_bindings.parameters import ListPushBindings
    from parlour.resources.push_bindings.store import PushBinding
    from parlour.store.transaction import Transaction


push_binding_in_path = in_path(sids.PUSH_BINDING, push_binding_store.find_push_binding)


async def list_push_bindings(tx: Transaction, call: Call[ListPushBindings]) -> Rows:
    """Return a page of the service's bindings."""
    filters = call.parameters
    found = await push_binding_store.list_push_bindings(
        tx,
        call.scope,
        call.page_request,
        types=filters.types(),
        identities=filters.identities(),
    )
    return Rows(found)


async def fetch_push_binding(tx: Transaction, call: Call[NoParameters]) -> PushBinding:
    """Return the binding that the path names."""
    return await push_binding_in_path(tx, call)


async def delete_push_binding(tx: Transaction, call: Call[NoParameters]) -> None:
    """Delete a binding: its device gets no push notifications until it registers again."""
    binding = await push_binding_in_path(tx, call)
    await push_binding_registrations.remove_push_binding(tx, call.scope, binding)
