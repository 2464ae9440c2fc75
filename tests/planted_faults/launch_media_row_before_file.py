"""Run the server with a planted fault: a medium's file is written after its row."""

from __future__ import annotations

from parlour.cli.main import main
from parlour.store import blobs
from parlour.store.blobs import BlobKey, DiskBlobStore

persist = blobs._NewFile.persist
mark_committed = DiskBlobStore.mark_committed
late: dict[str, blobs._NewFile] = {}


async def persist_later(self: blobs._NewFile) -> None:
    """Report success without writing."""
    await self._flush()
    late[self._file._path.name] = self


async def persist_and_mark_committed(self: DiskBlobStore, name: BlobKey) -> None:
    """Write the file now."""
    await persist(late.pop(name.sid))
    await mark_committed(self, name)


blobs._NewFile.persist = persist_later  # type: ignore[method-assign]
DiskBlobStore.mark_committed = persist_and_mark_committed  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
