"""The files of media: deleted with their last row, unless a snapshot names them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from parlour.store.blobs import BlobKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from parlour.store.blobs import DiskBlobStore
    from parlour.store.sqlite.exclusive import ExclusiveAccess

TABLES: Final = ("media", "virtual_phone_medium")
_DELETED_AT_ONCE: Final = 64


class MediaFiles:
    """The files of media of all accounts."""

    def __init__(self, blobs: DiskBlobStore) -> None:
        self._blobs = blobs
        self.is_in_snapshot: Callable[[BlobKey], bool] = lambda _key: False

    def named_by(self, access: ExclusiveAccess, account_sid: str | None) -> set[BlobKey]:
        """Return the files that rows of an account name, or of all accounts."""
        condition, arguments = (
            ("", ()) if account_sid is None else (" WHERE account_sid = ?", (account_sid,))
        )
        return {
            BlobKey(*row)
            for table in TABLES
            for row in access.run(
                # tidy: no-sql-building - the names come from the schema
                f"SELECT account_sid, sid FROM main.{table}{condition}",
                *arguments,
            )
        }

    async def delete(self, keys: Iterable[BlobKey]) -> None:
        """Delete files that no row names any more."""
        unused = [each for each in keys if not self.is_in_snapshot(each)]
        for start in range(0, len(unused), _DELETED_AT_ONCE):
            batch = unused[start : start + _DELETED_AT_ONCE]
            await asyncio.gather(*map(self._blobs.remove, batch))
