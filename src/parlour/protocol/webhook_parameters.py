"""The parameters of webhook requests about a record: their names, members, formats and phases.

Each representation lists the parameters of its resource; ``resources/webhook_forms.py`` composes
requests from these lists. A parameter without a value is omitted, never sent empty.
Names and presence: docs/reference/quirks.md#webhook-parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from parlour.protocol.timestamps import format_date_ms

if TYPE_CHECKING:
    from collections.abc import Callable

# A phase is the end of an event's name. "Add", "Update" and "Remove" are before the action,
# "Added", "Updated" and "Removed" after it. Before a creation ("Add") there is no SID and no date.
EVERY: Final = frozenset("Add Added Update Updated Remove Removed".split())
EXISTING: Final = EVERY - {"Add"}
CHANGED: Final = EXISTING - {"Added"}
CREATED: Final = frozenset({"Add", "Added"})
ADD: Final = frozenset({"Add"})
ADDED: Final = frozenset({"Added"})
UPDATE: Final = frozenset({"Update"})
UPDATED: Final = frozenset({"Updated"})
REMOVED: Final = frozenset({"Removed"})


# --- Formats. An empty text omits the parameter. ------------------------------------------


def text(value: Any) -> str:
    """Return a text or a number as it is."""
    return "" if value is None else str(value)


def date_text(value: Any) -> str:
    """Return milliseconds since 1970-01-01 UTC as an ISO 8601 date."""
    return "" if value is None else format_date_ms(value)


def boolean_text(value: Any) -> str:
    """Return ``true`` or ``false``."""
    return "" if value is None else ("true" if value else "false")


class WebhookParameter(NamedTuple):
    """One parameter: its name, the member of the payload, its format and its phases."""

    name: str
    member: str
    write: Callable[[Any], str] = text
    phases: frozenset[str] = EVERY


DATES: Final = (
    WebhookParameter("DateCreated", "date_created", date_text, EXISTING),
    WebhookParameter("DateUpdated", "date_updated", date_text, CHANGED),
    WebhookParameter("DateRemoved", "date_removed", date_text, REMOVED),
)
