"""The transaction of a seed: the store's, with dates, SIDs and origins chosen for each object.

The actions of the API take their dates from ``tx.now``, their SIDs from ``tx.new_sid`` and their
origin from ``tx.origin``. A seed sets all three before each action, so that ordinary code creates
objects of the past without a parameter for it. Rows get their numbers from the store, so that lists
have the order of the document. Events have the time of the load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.vocabulary.origin import Origin

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class SeedTransaction:
    """A `Transaction` around the one of the store."""

    def __init__(self, tx: Transaction, *, fires: bool, load_ms: int | None = None) -> None:
        """``load_ms`` replaces the time of the clock."""
        self._tx = tx
        self._fires = fires
        self._sids: dict[str, list[str]] = {}
        self.load_ms = tx.now if load_ms is None else load_ms
        """The time of the load, by the clock of the server."""
        self.now = self.load_ms
        self.origin = Origin(fires=fires)
        self.overlap_ms = tx.overlap_ms
        self.one = tx.one
        self.one_cached = tx.one_cached
        self.all = tx.all
        self.run = tx.run
        self.lock_name = tx.lock_name
        self.visible_count = tx.visible_count
        self.visible_through = tx.visible_through
        self.next_sequence = tx.next_sequence

    def begin(self, date_ms: int | None = None, *, origin: Origin | None = None) -> None:
        """Set the date and the origin of the next objects; by default of the load."""
        self.now = self.load_ms if date_ms is None else date_ms
        self.origin = Origin(fires=self._fires) if origin is None else self._muted(origin)

    def give_sids(self, prefix: str, *given: str | None) -> None:
        """Set the next SIDs with a prefix; None is no SID."""
        self._sids[prefix] = [sid for sid in given if sid is not None]

    def new_sid(self, prefix: str) -> str:
        """Return the given SID, or a new one."""
        given = self._sids.get(prefix)
        return given.pop(0) if given else self._tx.new_sid(prefix)

    async def emit(
        self,
        scope: Scope,
        name: str,
        *,
        conversation_sid: str = "",
        subject_sid: str,
        payload: object,
        origin: Origin | None = None,
    ) -> None:
        """Write one event, which webhooks get only if the seed fires."""
        await self._tx.emit(
            scope,
            name,
            conversation_sid=conversation_sid,
            subject_sid=subject_sid,
            payload=payload,
            origin=self._muted(origin or self.origin),
        )

    def _muted(self, origin: Origin) -> Any:
        return msgspec.structs.replace(origin, fires=self._fires)
