"""Parameters of the operations on seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


class FetchSeed(Parameters):
    """How the account is exported."""

    sids: bool | Unset = form_field("Sids", parsers.boolean())
