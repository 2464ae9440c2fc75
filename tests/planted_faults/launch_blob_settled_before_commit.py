"""Run the server with a planted fault: a blob counts as committed before its row is."""

from __future__ import annotations

from parlour.cli.main import main
from parlour.store import blobs

keep = blobs._NewFile.persist


async def persist_and_mark_committed(self: blobs._NewFile) -> None:
    """Persist it, and mark it as committed although its row is not."""
    await keep(self)
    self._file._marker.unlink()


blobs._NewFile.persist = persist_and_mark_committed  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
