"""Parameters of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


class ListConnections(Parameters):
    """The filter of the list."""

    identity: str | Unset = form_field("Identity", parsers.text(limits.EVENT_FILTER_CHARS_MAX))
