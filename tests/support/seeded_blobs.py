"""Files of media whose rows a test inserts itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.store.blobs import MEDIA_FOLDER, BlobKey, DiskBlobStore

if TYPE_CHECKING:
    from pathlib import Path


def write_zeros(data: Path, account_sid: str, sid: str, size: int) -> None:
    """Write the file of a medium into a data folder: zeros that occupy no space."""
    path = DiskBlobStore(data / MEDIA_FOLDER)._path(BlobKey(account_sid, sid))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
