"""Actions on snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.operations.access import require_auth_token
from parlour.operations.call import Rows
from parlour.testmode.reset.parameters import SERVER_SCOPE
from parlour.vocabulary.unset import Unset

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.protocol.pages import PageRequest
    from parlour.testmode.snapshots.parameters import CreateSnapshot
    from parlour.testmode.snapshots.snapshot_library import Snapshot
    from parlour.testmode.wiring import TestMode


async def create_snapshot(test_mode: TestMode, call: Call[CreateSnapshot]) -> Snapshot:
    """Create a snapshot of the caller's account, or of the server."""
    given, caller_sid = call.parameters, call.scope.account_sid
    assert not isinstance(given.name, Unset)
    account_sid: str | None = caller_sid
    if given.scope == SERVER_SCOPE:
        require_auth_token(call.caller)
        account_sid = None
    return await test_mode.snapshots.create(given.name, caller_sid, account_sid)


async def list_snapshots(test_mode: TestMode, call: Call[NoParameters]) -> Rows:
    """Return a page of the snapshots of the account and of the server, oldest first."""
    found = test_mode.snapshots.visible_to(call.scope.account_sid)
    return Rows(_page(found, call.page_request), order="number", sid="name")


async def restore_snapshot(test_mode: TestMode, call: Call[NoParameters]) -> Snapshot:
    """Restore the snapshot that the path names."""
    snapshot = _in_path(test_mode, call)
    await test_mode.snapshots.restore(snapshot)
    return snapshot


async def delete_snapshot(test_mode: TestMode, call: Call[NoParameters]) -> None:
    """Delete the snapshot that the path names."""
    await test_mode.snapshots.delete(_in_path(test_mode, call))


def _in_path(test_mode: TestMode, call: Call[Any]) -> Snapshot:
    """Return the snapshot that the path names. Raises 404, and 20403 for one of the server."""
    found = test_mode.snapshots.find(call.scope.account_sid, call.path["Name"])
    if found is None:
        raise call.not_found()
    if found.account_sid is None:
        require_auth_token(call.caller)
    return found


def _page(found: list[Snapshot], request: PageRequest) -> list[Snapshot]:
    """Return up to size + 1 snapshots of a page, in reading order."""
    position = request.position
    if position is None:
        return found[: request.size + 1]
    number = int(position.key)
    if position.backwards:
        return [each for each in reversed(found) if each.number < number][: request.size + 1]
    return [each for each in found if each.number > number][: request.size + 1]
