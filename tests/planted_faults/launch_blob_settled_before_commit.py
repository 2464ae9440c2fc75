"""Runs the server with a planted fault: a blob counts as settled before its row is committed."""

from __future__ import annotations

from parlour.cli.main import main
from parlour.store import blobs

keep = blobs._NewFile.persist


async def persist_and_mark_committed(self: blobs._NewFile) -> None:
    """Keep it, and forget at once that its row is not there yet."""
    await keep(self)
    self._file._marker.unlink()


blobs._NewFile.persist = persist_and_mark_committed  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
