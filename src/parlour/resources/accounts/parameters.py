"""What may be said about an API key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, said
from parlour.vocabulary import limits, values

if TYPE_CHECKING:
    from parlour.vocabulary.values import Unset


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeKey(Parameters):
    """A new key, or a change of one."""

    friendly_name: str | Unset = said(
        "FriendlyName", values.text(limits.KEY_FRIENDLY_NAME_CHARS_MAX, 20002)
    )
