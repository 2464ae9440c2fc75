"""Representations of address configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.protocol.timestamps import format_date

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.address_configurations.store import AddressConfiguration


def resource(configuration: AddressConfiguration, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order; auto_creation with its null members."""
    return {
        "account_sid": configuration.account_sid,
        "sid": configuration.sid,
        "address": configuration.address,
        "type": configuration.type,
        "friendly_name": configuration.friendly_name,
        "address_country": configuration.address_country,
        "auto_creation": msgspec.structs.asdict(configuration.creation),
        "date_created": format_date(configuration.date_created),
        "date_updated": format_date(configuration.date_updated),
        "url": f"{view.root_url}/Configuration/Addresses/{configuration.sid}",
    }
