"""What no engine lets a reading transaction do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parlour.vocabulary.origin import Origin
    from parlour.vocabulary.scope import Scope


class ReadOnly:
    """Refuses to write: whoever tries it through a snapshot is a bug."""

    async def run(self, sql: str, *arguments: object) -> int:
        """Refused: this is a snapshot."""
        raise AssertionError(f"a write in a reading transaction: {sql} {len(arguments)}")

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
        """Refused: this is a snapshot."""
        raise AssertionError(
            f"an event in a reading transaction: {name} {scope} {conversation_sid} "
            f"{subject_sid} {origin} {type(payload)}"
        )

    def new_sid(self, prefix: str) -> str:
        """Refused: this is a snapshot."""
        raise AssertionError(f"a new sid in a reading transaction: {prefix}")

    def next_sequence(self) -> int:
        """Refused: this is a snapshot."""
        raise AssertionError("a new number in a reading transaction")
