"""The checked objects of a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date
from parlour.testmode.seeds.dates import resolve_date
from parlour.testmode.seeds.keys import ValueKind

if TYPE_CHECKING:
    from parlour.operations.parameters import Parameters
    from parlour.protocol.forms import FormFields
    from parlour.testmode.seeds.keys import Section


@dataclass(slots=True)
class SeedItem:
    """One object: its values by key, and the forms that the API takes for them.

    ``path`` names it in errors, ``label`` in the SIDs of the response. A part of another object,
    such as its timers, shares the forms of that object.
    """

    path: str
    label: str
    section: Section
    values: dict[str, Any] = field(default_factory=dict)
    forms: dict[type[Parameters], FormFields] = field(default_factory=dict)
    children: dict[str, list[SeedItem]] = field(default_factory=dict)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value, or the default if the key is absent."""
        return self.values.get(name, default)

    def items(self, name: str) -> list[SeedItem]:
        """Return the objects of a list."""
        return self.children.get(name, [])

    def part(self, name: str) -> SeedItem | None:
        """Return the object below a key, or None."""
        found = self.children.get(name)
        return found[0] if found else None

    def date(self, name: str, now_ms: int) -> int | None:
        """Return a date in milliseconds, or None if the key is absent."""
        text = self.values.get(name)
        return None if text is None else resolve_date(text, now_ms)

    def form(self, parameters: type[Parameters], now_ms: int) -> FormFields:
        """Return the form for the API, dates included."""
        form = dict(self.forms.get(parameters, {}))
        if parameters is not self.section.parameters:
            return form
        for key in self.section.keys:
            if key.kind is ValueKind.DATE and key.wire_name:
                date = self.date(key.name, now_ms)
                if date is not None:
                    form[key.wire_name] = [format_date(date)]
        return form
