"""Representation of the emulation of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.testmode.emulation.actions import AccountEmulation


def resource(emulation: AccountEmulation, view: View) -> dict[str, Any]:
    """Return the emulation of an account."""
    root = view.root_url.removesuffix("/v1")
    return {**msgspec.structs.asdict(emulation), "url": f"{root}/parlour/v1/Emulation"}
