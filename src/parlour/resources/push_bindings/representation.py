"""Representations of push bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.protocol.timestamps import format_date

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.push_bindings.store import PushBinding

_NAMES = msgspec.json.Decoder(list[str])


def resource(binding: PushBinding, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order."""
    return {
        "sid": binding.sid,
        "account_sid": binding.account_sid,
        "chat_service_sid": binding.service_sid,
        "date_created": format_date(binding.date_created),
        "date_updated": format_date(binding.date_updated),
        "endpoint": binding.endpoint,
        "identity": binding.identity,
        "binding_type": binding.binding_type,
        "credential_sid": binding.credential_sid,
        "message_types": _NAMES.decode(binding.message_types),
        "url": f"{view.root_url}/Services/{binding.service_sid}/Bindings/{binding.sid}",
    }


def client_registration(binding: PushBinding) -> dict[str, Any]:
    """Return the fields with which a client can remove its registration."""
    return {"id": binding.sid}
