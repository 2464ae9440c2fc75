"""Cached rows of settings: the rows that almost every request reads and few requests change.

A change of settings takes the lock named ``settings`` (``Transaction.lock_name``) before it writes,
which invalidates the cache.

The SQLite engine has one cache for its process, since no other process changes settings. On
PostgreSQL other nodes do, so there a cache lives as long as one transaction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Row

SETTINGS_LOCK: Final = "settings"
"""The first part of the lock name that every change of settings takes."""


# state     entered by        lookups          rows read are
# --------  ----------------  ---------------  -------------
# filling   ``end_change``    hit cached rows  cached
# changing  ``begin_change``  always miss      not cached
#
# While a change is uncommitted nothing is cached. So no reader sees a row that may still be rolled
# back, and the writer sees its own changes.
class SettingsCache:
    """Rows by statement and arguments; emptied when it is full."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, tuple[object, ...]], Row | None] = {}
        self._is_changing = False

    def begin_change(self) -> None:
        """Evict all rows, and cache none until ``end_change``."""
        self.rows.clear()
        self._is_changing = True

    def end_change(self) -> None:
        """Cache rows again: the change is committed or rolled back."""
        self._is_changing = False

    def store(self, key: tuple[str, tuple[object, ...]], row: Row | None) -> None:
        """Cache a row that was read, unless settings are changing."""
        if not self._is_changing and limits.SETTINGS_CACHED_MAX:
            # Emptied rather than evicted one by one, so that a hit updates no order of use.
            if len(self.rows) >= limits.SETTINGS_CACHED_MAX:
                self.rows.clear()
            self.rows[key] = row


class CachedSettings(ABC):
    """The reading of settings through a cache, for transactions of both engines."""

    _settings_cache: SettingsCache

    @abstractmethod
    async def one(self, sql: str, *arguments: object) -> Row | None:
        """Return the first row, or None."""

    async def one_cached(self, sql: str, *arguments: object) -> Row | None:
        """Return the first row of settings, or None; from the cache if it is there."""
        # A request reads several of these: a hit calls no function.
        key = (sql, arguments)
        if key in self._settings_cache.rows:
            return self._settings_cache.rows[key]
        row = await self.one(sql, *arguments)
        self._settings_cache.store(key, row)
        return row
