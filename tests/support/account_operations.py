"""The operations that accounts may call; those for operators are 404 for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.resources.table import pipeline_operations

if TYPE_CHECKING:
    from parlour.operations.operation import Operation


def account_operations() -> tuple[Operation, ...]:
    """Return the operations that the router serves to accounts."""
    return tuple(each for each in pipeline_operations() if not each.for_operators)
