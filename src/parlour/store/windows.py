"""Reading one page of a list (keyset pagination): from the start, or from a position either way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.statements import Window
    from parlour.store.transaction import Row, Transaction


async def read_window(
    tx: Transaction, window: Window, request: PageRequest, *arguments: object
) -> list[Row]:
    """Return up to size + 1 rows; the extra row means that there are more.

    Rows before a backwards position are in reading order, that is reversed.
    """
    position = request.position
    count = request.size + 1
    if position is None:
        return await tx.all(window.first, *arguments, count)
    statement = window.backward if position.backwards else window.forward
    return await tx.all(statement, *arguments, position.key, position.sid, count)
