"""Parameters of the operations on participant conversations."""

from __future__ import annotations

from dataclasses import dataclass

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import limits
from parlour.vocabulary.unset import UNSET, Unset


def _text(chars_max: int) -> parsers.Parser[str | Unset]:
    """Return a parser of a text to search for; empty counts as absent."""
    parse = parsers.text(chars_max)
    return lambda name, text: parse(name, text) or UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class ListParticipantConversations(Parameters):
    """Filter of a list: either an identity or an address."""

    identity: str | Unset = form_field("Identity", _text(limits.IDENTITY_CHARS_MAX))
    address: str | Unset = form_field("Address", _text(limits.ADDRESS_CHARS_MAX))
