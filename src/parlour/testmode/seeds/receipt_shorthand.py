"""The short form of receipts: ``{delivered: all}`` instead of a list."""

from __future__ import annotations

from typing import Any

from parlour.testmode.seeds.conversation_declaration import ALL_RECIPIENTS, STATUSES
from parlour.testmode.seeds.errors import seed_error, unknown_key


class EveryRecipient(str):
    """The reference to all recipients of a message: another type than texts of a document."""

    __slots__ = ()


def expand_receipts(path: str, value: Any) -> list[tuple[str, Any]]:
    """Return the receipts of a message as a list of objects, each with its path."""
    if isinstance(value, list):
        return [(f"{path}[{index}]", each) for index, each in enumerate(value)]
    if not isinstance(value, dict):
        raise seed_error(path, "must be a list, or an object with statuses as keys")
    found: list[tuple[str, Any]] = []
    for status, recipients in value.items():
        if status not in STATUSES:
            raise unknown_key(path, status, STATUSES)
        where = f"{path}.{status}"
        if recipients == ALL_RECIPIENTS:
            found.append((where, {"status": status, "participant": EveryRecipient()}))
        elif isinstance(recipients, list):
            found += [
                (f"{where}[{index}]", {"status": status, "participant": each})
                for index, each in enumerate(recipients)
            ]
        else:
            raise seed_error(where, f"must be a list of participants, or {ALL_RECIPIENTS!r}")
    return found
