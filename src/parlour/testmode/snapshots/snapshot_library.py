"""The snapshots of a server: named copies of an account, or of all accounts, in memory.

A snapshot contains rows, and what parts of test mode have in memory, such as faults. Restoring one
stops what a reset stops, and replaces the rows in one transaction. Event numbers continue:
consumers of the log have passed the events of a snapshot, so those are not published again.
Deliveries and messages that were queued are sent.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from parlour.testmode.snapshots import row_copies
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.store.blobs import BlobKey
    from parlour.store.sqlite.exclusive import ExclusiveAccess
    from parlour.testmode.reset.media_files import MediaFiles
    from parlour.testmode.reset.resetter import Resetter
    from parlour.testmode.reset.table_classes import TableClasses
    from parlour.testmode.snapshots.row_copies import CopiedRows
    from parlour.testmode.wiring import ServerHandles
    from parlour.vocabulary.clock import Clock

    Save = Callable[[str | None], Any]
    """Returns the state of an account, or of all for None."""
    Restore = Callable[[Any], None]
    """Puts a state back that ``Save`` returned."""

_MEBIBYTE = 1 << 20


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot; ``account_sid`` is None for one of the server."""

    name: str
    number: int
    account_sid: str | None
    date_created: int
    rows: CopiedRows
    states: tuple[Any, ...]

    @property
    def size_bytes(self) -> int:
        """The size of its rows."""
        return self.rows.size_bytes


class _StatePart(NamedTuple):
    save: Save
    restore: Restore


class SnapshotLibrary:
    """The snapshots of one server."""

    def __init__(
        self, handles: ServerHandles, clock: Clock, resetter: Resetter, media_files: MediaFiles
    ) -> None:
        """``clock`` gives the dates of the snapshots."""
        self._handles = handles
        self._clock = clock
        self._resetter = resetter
        self._media_files = media_files
        self._parts: list[_StatePart] = []
        # By the account, None for the server, and the name; the oldest first.
        self._snapshots: dict[tuple[str | None, str], Snapshot] = {}
        self._last_number = 0
        media_files.is_in_snapshot = self.has_medium
        handles.blobs.is_kept = self.has_medium
        resetter.remove_snapshots = self._remove_all_of

    def add_part(self, save: Save, restore: Restore) -> None:
        """Include the memory of a part in snapshots; its account is None for the whole server."""
        self._parts.append(_StatePart(save, restore))

    def has_medium(self, key: BlobKey) -> bool:
        """Return whether a snapshot contains a medium."""
        return any(key in each.rows.media for each in self._snapshots.values())

    def visible_to(self, account_sid: str) -> list[Snapshot]:
        """Return the snapshots of an account and of the server, oldest first."""
        return [
            each for each in self._snapshots.values() if each.account_sid in {None, account_sid}
        ]

    def find(self, account_sid: str, name: str) -> Snapshot | None:
        """Return the snapshot of an account, or of the server, with this name."""
        return self._snapshots.get((account_sid, name)) or self._snapshots.get((None, name))

    async def create(self, name: str, caller_sid: str, account_sid: str | None) -> Snapshot:
        """Create a snapshot of an account, or of the server.

        Raises 20409 if the caller has one of this name, or if there is no room.
        """
        async with self._resetter.quiescence.paused(account_sid, own_requests=1):
            self._check_room(name, caller_sid)
            self._last_number += 1
            rows = await self._handles.store.exclusively(
                partial(self._copy, self._last_number, account_sid)
            )
            snapshot = Snapshot(
                name=name,
                number=self._last_number,
                account_sid=account_sid,
                date_created=self._clock.now_ms(),
                rows=rows,
                states=tuple(each.save(account_sid) for each in self._parts),
            )
            self._snapshots[account_sid, name] = snapshot
        return snapshot

    def _check_room(self, name: str, caller_sid: str) -> None:
        if self.find(caller_sid, name) is not None:
            raise ApiError(20409, f"There is a snapshot {name} already: delete it first.")
        if len(self._snapshots) >= limits.SNAPSHOTS_MAX:
            raise self._no_room(f"There are {limits.SNAPSHOTS_MAX} snapshots already.")

    def _no_room(self, reason: str) -> ApiError:
        if not self._snapshots:
            return ApiError(20409, reason)
        largest = max(self._snapshots.values(), key=lambda each: each.size_bytes)
        size = largest.size_bytes / _MEBIBYTE
        return ApiError(
            20409, f"{reason} The largest is {largest.name} ({size:.1f} MiB): delete one."
        )

    def _copy(self, number: int, account_sid: str | None, access: ExclusiveAccess) -> CopiedRows:
        row_copies.attach(access)
        tables = self._resetter.tables(access)
        with access.transaction():
            rows = row_copies.copy_rows(access, tables, number, account_sid)
            if row_copies.size_bytes(access) > limits.SNAPSHOT_BYTES_MAX:
                most = limits.SNAPSHOT_BYTES_MAX // _MEBIBYTE
                raise self._no_room(f"All snapshots together would have more than {most} MiB.")
        return rows

    async def restore(self, snapshot: Snapshot) -> None:
        """Put the account, or the server, into the state of a snapshot.

        Raises 20404 if a reset or a deletion removed the snapshot before its turn.
        """

        def replace(access: ExclusiveAccess, tables: TableClasses) -> None:
            if self._snapshots.get((snapshot.account_sid, snapshot.name)) is not snapshot:
                raise ApiError(20404, f"The snapshot {snapshot.name} was removed.")
            row_copies.restore_rows(access, tables, snapshot.rows)

        await self._resetter.replace_rows(
            snapshot.account_sid,
            replace,
            partial(self._restore_parts, snapshot),
            own_requests=1,
        )

    def _restore_parts(self, snapshot: Snapshot, _access: ExclusiveAccess) -> tuple[BlobKey, ...]:
        for part, state in zip(self._parts, snapshot.states, strict=True):
            part.restore(state)
        return ()

    async def delete(self, snapshot: Snapshot) -> None:
        """Delete a snapshot, and the files of media that only it contains."""
        del self._snapshots[snapshot.account_sid, snapshot.name]
        unused = await self._handles.store.exclusively(partial(self._delete, [snapshot]))
        await self._media_files.delete(unused)

    def _delete(self, snapshots: list[Snapshot], access: ExclusiveAccess) -> list[BlobKey]:
        """Delete copies; return the media that no row refers to."""
        media: set[BlobKey] = set()
        with access.transaction():
            for each in snapshots:
                row_copies.delete_copy(access, each.rows)
                media |= each.rows.media
        return sorted(media - self._media_files.named_by(access, None)) if media else []

    def _remove_all_of(self, account_sid: str | None, access: ExclusiveAccess) -> list[BlobKey]:
        """Remove the snapshots of an account that is reset, or all; return media without a row."""
        gone = [key for key in self._snapshots if account_sid is None or key[0] == account_sid]
        return self._delete([self._snapshots.pop(key) for key in gone], access) if gone else []
