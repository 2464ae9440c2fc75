"""A store that loses the confirmations of its commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.store.transaction import Unavailable

if TYPE_CHECKING:
    from parlour.store.transaction import Store


class UnknownOutcomes:
    """A store whose next writes are committed, but reported as unknown."""

    def __init__(self, store: Store) -> None:
        """Wrap a store; the outcome of its writes is known until ``unknown_left`` is set."""
        self._store = store
        self.read = store.read
        self.unknown_left = 0

    async def write(self, *arguments: Any, **options: Any) -> Any:
        """Commit, and raise Unavailable if an unknown outcome is scheduled."""
        result = await self._store.write(*arguments, **options)
        if self.unknown_left:
            self.unknown_left -= 1
            raise Unavailable("commit: unknown outcome")
        return result
