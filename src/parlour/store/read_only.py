"""What the read transactions of both engines share: a clock, and the refusal to write.

A write through a read transaction is a bug in the caller, so it fails an assertion instead of
raising an error that a caller could handle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.vocabulary.origin import SILENT

if TYPE_CHECKING:
    from parlour.vocabulary.clock import Clock
    from parlour.vocabulary.origin import Origin
    from parlour.vocabulary.scope import Scope


class ReadOnlyTransaction:
    """The part of a read transaction that does not depend on the engine."""

    _clock: Clock

    @property
    def now(self) -> int:
        """Return the current time in milliseconds since 1970-01-01 UTC."""
        return self._clock.now_ms()

    @property
    def origin(self) -> Origin:
        """Return the origin of no change: a read has none."""
        return SILENT

    async def run(self, sql: str, *arguments: object) -> int:
        """Fail: a read transaction writes nothing."""
        raise AssertionError(f"a write in a read transaction: {sql} {len(arguments)}")

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
        """Fail: a read transaction emits no event."""
        raise AssertionError(
            f"an event in a read transaction: {name} {scope} {conversation_sid} "
            f"{subject_sid} {origin} {type(payload)}"
        )

    def new_sid(self, prefix: str) -> str:
        """Fail: a read transaction creates nothing."""
        raise AssertionError(f"a new sid in a read transaction: {prefix}")

    def next_sequence(self) -> int:
        """Fail: a read transaction creates nothing."""
        raise AssertionError("a sequence number in a read transaction")
