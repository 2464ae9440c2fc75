"""Parameters of the operations on API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


class ChangeKey(Parameters):
    """A new key, or a change of one."""

    friendly_name: str | Unset = form_field(
        "FriendlyName", parsers.text(limits.KEY_FRIENDLY_NAME_CHARS_MAX, 20002)
    )
