"""Routes of snapshots."""

from __future__ import annotations

from typing import Final

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.testmode.snapshots import actions as snapshot_actions
from parlour.testmode.snapshots import parameters as snapshot_parameters
from parlour.testmode.snapshots import representation as snapshot_representation

_VERSION: Final = "/parlour/v1"

SNAPSHOTS = Collection(
    noun="Snapshot",
    version=_VERSION,
    path="/Snapshots",
    instance="{Name}",
    url_forms=ACCOUNT_ONLY,
    represent=snapshot_representation.resource,
    specs=(
        on_server(
            "Create",
            "POST",
            snapshot_actions.create_snapshot,
            status=201,
            parameters=snapshot_parameters.CreateSnapshot,
        ),
        on_server("List", "GET", snapshot_actions.list_snapshots, list_key="snapshots"),
        on_server(
            "Delete", "DELETE", snapshot_actions.delete_snapshot, status=204, on_instance=True
        ),
    ),
    listed=False,
)

SNAPSHOT_RESTORE = Collection(
    noun="SnapshotRestore",
    version=_VERSION,
    path="/Snapshots/{Name}/Restore",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=snapshot_representation.resource,
    specs=(on_server("Create", "POST", snapshot_actions.restore_snapshot),),
    listed=False,
)
