"""Parameters of settlements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


class CreateSettlement(Parameters):
    """How long a settlement waits, in seconds of real time."""

    timeout_seconds: int | Unset = form_field(
        "Timeout", parsers.integer(minimum=1, maximum=limits.SETTLE_SECONDS_MAX)
    )
