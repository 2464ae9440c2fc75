"""Registration of devices as push bindings, and its removal.

A client registers the address that its push service assigned to the device. The same device of the
same user keeps its binding. A user is notifiable while it has one: a change of that is published
to clients, but not to webhooks.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from parlour.resources.changes import change_emitter
from parlour.resources.push_bindings import store as push_binding_store
from parlour.resources.push_bindings.store import PushBinding
from parlour.resources.users import reachability as user_reachability
from parlour.vocabulary import event_names, limits, sids
from parlour.vocabulary.dates import updated_at
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.push_bindings.parameters import RegisterDevice, UnregisterDevice
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


# The address of a device is a secret of the device.
_emit_change = change_emitter(PushBinding, event_names.SERVICE_CHANGED, "push_binding", address="")


def _identity(call: Call[Any]) -> str:
    assert call.caller.identity is not None
    return call.caller.identity


async def register_device(tx: Transaction, call: Call[RegisterDevice]) -> PushBinding:
    """Insert or update the binding of a device, and return it."""
    identity, change = _identity(call), call.parameters
    devices = await push_binding_store.list_push_bindings_of_identity(tx, call.scope, identity)
    known = _find_device(devices, change.channel_type, change.address)
    binding = PushBinding(
        account_sid=call.scope.account_sid,
        service_sid=call.scope.service_sid,
        sid=tx.new_sid(sids.PUSH_BINDING) if known is None else known.sid,
        sequence=tx.next_sequence() if known is None else known.sequence,
        identity=identity,
        endpoint=(
            _endpoint(identity, change.address) if change.endpoint is UNSET else change.endpoint
        ),
        address=change.address,
        binding_type=change.channel_type,
        credential_sid=None if change.credential_sid is UNSET else change.credential_sid,
        message_types=msgspec.json.encode(change.short_names()).decode(),
        date_created=tx.now if known is None else known.date_created,
        date_updated=(
            tx.now
            if known is None
            else updated_at(tx.now, created_ms=known.date_created, updated_ms=known.date_updated)
        ),
    )
    if known is not None:
        await push_binding_store.update_push_binding_row(tx, call.scope, binding)
    else:
        if len(devices) >= limits.BINDINGS_PER_IDENTITY_MAX:
            await push_binding_store.delete_push_binding_row(tx, call.scope, devices[0].sid)
        await push_binding_store.insert_push_binding(tx, call.scope, binding)
    await _emit_change(tx, call.scope, binding)
    await user_reachability.set_notifiable(tx, call.scope, identity, is_notifiable=True)
    return binding


def _find_device(devices: list[PushBinding], binding_type: str, address: str) -> PushBinding | None:
    for each in devices:
        if each.binding_type == binding_type and each.address == address:
            return each
    return None


def _endpoint(identity: str, address: str) -> str:
    """Return a name for the device from which its address cannot be derived."""
    return f"{identity}:{hashlib.sha256(address.encode()).hexdigest()[:32]}"


async def unregister_by_sid(tx: Transaction, call: Call[NoParameters]) -> None:
    """Remove a device of the user by its registration; no error if it does not exist."""
    sid = call.path["Sid"]
    if not sids.is_sid(sids.PUSH_BINDING, sid):
        return
    found = await push_binding_store.find_push_binding(tx, call.scope, sids.normal(sid))
    if found is not None and found.identity == _identity(call):
        await remove_push_binding(tx, call.scope, found)


async def unregister_by_address(tx: Transaction, call: Call[UnregisterDevice]) -> None:
    """Remove a device of the user by its address, if it exists."""
    change = call.parameters
    devices = await push_binding_store.list_push_bindings_of_identity(
        tx, call.scope, _identity(call)
    )
    found = _find_device(devices, change.binding_type, change.address)
    if found is not None:
        await remove_push_binding(tx, call.scope, found)


async def remove_push_binding(tx: Transaction, scope: Scope, binding: PushBinding) -> None:
    """Delete a binding and emit its event; without bindings the user is not notifiable."""
    await push_binding_store.delete_push_binding_row(tx, scope, binding.sid)
    await _emit_change(tx, scope, binding)
    if not await push_binding_store.list_push_bindings_of_identity(tx, scope, binding.identity):
        await user_reachability.set_notifiable(tx, scope, binding.identity, is_notifiable=False)
