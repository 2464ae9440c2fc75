"""Representations of push credentials, always without their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.credentials.store import Credential


def resource(credential: Credential, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order."""
    return {
        "sid": credential.sid,
        "account_sid": credential.account_sid,
        "friendly_name": credential.friendly_name,
        "type": credential.type,
        "sandbox": credential.sandbox,
        "date_created": format_date(credential.date_created),
        "date_updated": format_date(credential.date_updated),
        "url": f"{view.root_url}/Credentials/{credential.sid}",
    }
