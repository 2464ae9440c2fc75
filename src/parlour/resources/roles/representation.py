"""Representations of roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.protocol.timestamps import format_date

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.roles.store import Role

_NAMES = msgspec.json.Decoder(list[str])


def resource(role: Role, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order."""
    return {
        "sid": role.sid,
        "account_sid": role.account_sid,
        "chat_service_sid": role.service_sid,
        "friendly_name": role.friendly_name,
        "type": role.type,
        "permissions": _NAMES.decode(role.permissions),
        "date_created": format_date(role.date_created),
        "date_updated": format_date(role.date_updated),
        "url": f"{view.base_url}/Roles/{role.sid}",
    }
