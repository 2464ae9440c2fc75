"""Resets an account or the server: stops its work, removes its rows, evicts its memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from parlour.testmode.reset import erasure
from parlour.testmode.reset.quiescence import Quiescence, selection_of
from parlour.testmode.reset.table_classes import read_classes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from parlour.store.blobs import BlobKey
    from parlour.store.sqlite.exclusive import ExclusiveAccess
    from parlour.testmode.reset.media_files import MediaFiles
    from parlour.testmode.reset.start_state import StartState
    from parlour.testmode.reset.table_classes import TableClasses
    from parlour.testmode.wiring import ServerHandles

    Forget = Callable[[str | None], None]
    """Called with an account whose memory is to be dropped, or None for all accounts."""
    Then = Callable[[ExclusiveAccess], Iterable[BlobKey]]
    """Runs after rows were replaced, before any work goes on; returns media without a row."""
    Replace = Callable[[ExclusiveAccess, TableClasses], None]
    """Replaces rows in an open transaction."""


class Resetter:
    """Removes and replaces the rows of accounts.

    Parts of test mode with a memory of accounts, such as faults, register a function with
    ``on_reset``.
    """

    def __init__(self, parts: ServerHandles, start: StartState, media_files: MediaFiles) -> None:
        self._parts = parts
        self._start = start
        self._media_files = media_files
        self.quiescence = Quiescence(parts)
        self._listeners: list[Forget] = []
        self._tables: TableClasses | None = None
        self.remove_snapshots: Callable[[str | None, ExclusiveAccess], Iterable[BlobKey]]
        """Removes the snapshots of an account, or all; set by their library."""

    def on_reset(self, forget: Forget) -> None:
        """Call a function at each reset and restore: before requests are drained, and after.

        What it ends, such as a delay, delays the reset no longer; the rows are replaced in between.
        """
        self._listeners.append(forget)

    def tables(self, access: ExclusiveAccess) -> TableClasses:
        """Return the classes of all tables, which are read once."""
        if self._tables is None:
            self._tables = read_classes(access)
        return self._tables

    async def reset_account(self, account_sid: str, random_seed: int | None = None) -> None:
        """Remove everything of an account but its credentials and its default service.

        With ``random_seed`` SIDs repeat from then on.
        """

        def replace(access: ExclusiveAccess, tables: TableClasses) -> None:
            staying = access.act(partial(erasure.read_staying_rows, account_sid=account_sid))
            if random_seed is not None:
                self._start.reseed(random_seed, staying.service.sid)
            erasure.reset_account(access, tables, account_sid, staying)

        then = partial(self.remove_snapshots, account_sid)
        await self.replace_rows(account_sid, replace, then, own_requests=1)

    async def remove_account(self, account_sid: str) -> None:
        """Remove all rows of an account."""
        replace = partial(erasure.delete_rows, account_sid=account_sid)
        then = partial(self.remove_snapshots, account_sid)
        await self.replace_rows(account_sid, replace, then, own_requests=0)

    async def reset_server(self, random_seed: int | None = None) -> None:
        """Remove all accounts, and create the account of the settings again."""
        replace = partial(self._start.restore, random_seed=random_seed)
        then = partial(self.remove_snapshots, None)
        await self.replace_rows(None, replace, then, own_requests=1)

    async def replace_rows(
        self,
        account_sid: str | None,
        replace: Replace,
        then: Then,
        *,
        own_requests: int,
    ) -> None:
        """Stop the work for an account, or for all, and replace its rows in one transaction.

        ``own_requests`` as in `Quiescence.stopped`.
        """
        parts, accounts = self._parts, selection_of(account_sid)
        for forget in self._listeners:
            forget(account_sid)
        async with self.quiescence.stopped(account_sid, own_requests):
            unused, mark = await parts.store.exclusively(
                partial(self._replace_and_forget, account_sid, replace, then)
            )
            await parts.webhooks.reload(accounts)
            await parts.realtime.forget_through(mark)
            await self._media_files.delete(sorted(unused))

    def _replace_and_forget(
        self,
        account_sid: str | None,
        replace: Replace,
        then: Then,
        access: ExclusiveAccess,
    ) -> tuple[set[BlobKey], int]:
        """Replace rows; return the media files without a row, and the number of the last event."""
        tables = self.tables(access)
        with access.transaction():
            before = self._media_files.named_by(access, account_sid)
            replace(access, tables)
            mark = erasure.mark_log(access)
            unused = before - self._media_files.named_by(access, account_sid)
        self._forget(account_sid)
        unused.update(then(access))
        return unused, mark

    def _forget(self, account_sid: str | None) -> None:
        """Evict the rows that were replaced from all caches."""
        parts = self._parts
        parts.authentication.evict_all()
        parts.login_gate.forget_failures()
        parts.access_tokens.evict_all()
        parts.signer.evict_all()
        for forget in self._listeners:
            forget(account_sid)
