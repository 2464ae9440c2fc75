"""Numbered migrations, applied in the order of their names, each in one transaction.

``…_pre_…`` may run while the previous version still serves; ``…_post_…`` only afterwards.
"""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple


class Migration(NamedTuple):
    """One step of the schema."""

    name: str
    text: str


def migrations() -> list[Migration]:
    """Every migration of this version, in order."""
    found = [
        Migration(entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8"))
        for entry in resources.files(__package__).iterdir()
        if entry.name.endswith(".sql")
    ]
    return sorted(found)
