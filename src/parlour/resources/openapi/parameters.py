"""Parameters of the description of the operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


class FetchOpenApi(Parameters):
    """The ids of the operations that are described; without any, all of them are."""

    operations: list[str] | Unset = form_field(
        "Operation", parsers.text(limits.EVENT_FILTER_CHARS_MAX), repeated=True
    )
