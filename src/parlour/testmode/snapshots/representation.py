"""The representation of snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date_ms
from parlour.testmode.reset.parameters import ACCOUNT_SCOPE, SERVER_SCOPE

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.testmode.snapshots.snapshot_library import Snapshot


def resource(snapshot: Snapshot, view: View) -> dict[str, Any]:
    """Return a snapshot for a response, without its content."""
    root = view.root_url.removesuffix("/v1")
    return {
        "name": snapshot.name,
        "scope": SERVER_SCOPE if snapshot.account_sid is None else ACCOUNT_SCOPE,
        "account_sid": snapshot.account_sid,
        "size_bytes": snapshot.size_bytes,
        "date_created": format_date_ms(snapshot.date_created),
        "url": f"{root}/parlour/v1/Snapshots/{snapshot.name}",
    }
