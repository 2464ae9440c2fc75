"""The representation of a trigger's result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from parlour.operations.call import View


class TriggerResult(msgspec.Struct, frozen=True):
    """What a trigger did: the number of its event, and the SIDs of the objects by kind.

    ``sequence`` is None if the event has not come within the limit. ``created`` are the kinds of
    the objects that the trigger created before the change.
    """

    event_type: str
    operation_id: str
    sequence: int | None
    sids: dict[str, str]
    created: tuple[str, ...]


def resource(result: TriggerResult, _view: View) -> dict[str, Any]:
    """Return the result for a response."""
    return {
        "event_type": result.event_type,
        "operation": result.operation_id,
        "sequence": result.sequence,
        "sids": result.sids,
        "created": list(result.created),
    }
