"""What may be said about a content template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, said
from parlour.vocabulary import limits, values
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.vocabulary.values import Unset


def _body(_name: str, text: str) -> str:
    """As long as the body of a message can be."""
    if len(text.encode()) > limits.MESSAGE_BODY_BYTES_MAX:
        raise ApiError(50504)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateContentTemplate(Parameters):
    """A text with places like ``{{1}}``, and a name for it."""

    friendly_name: str | Unset = said(
        "FriendlyName", values.text(limits.FRIENDLY_NAME_CHARS_MAX), required=True
    )
    body: str | Unset = said("Body", _body, required=True)
