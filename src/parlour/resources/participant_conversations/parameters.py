"""Parameters of the operations on participant conversations."""

from __future__ import annotations

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.protocol.addresses import normalise_address
from parlour.vocabulary import limits
from parlour.vocabulary.unset import UNSET, Unset


def _text(chars_max: int) -> parsers.Parser[str | Unset]:
    """Return a parser of a text to search for; empty counts as absent."""
    parse = parsers.text(chars_max)
    return lambda name, text: parse(name, text) or UNSET


def _address(name: str, text: str) -> str | Unset:
    """Return an address in the form in which addresses are compared; empty counts as absent."""
    return _address_text(name, normalise_address(text))


_address_text = _text(limits.ADDRESS_CHARS_MAX)


class ListParticipantConversations(Parameters):
    """Filter of a list: either an identity or an address."""

    identity: str | Unset = form_field("Identity", _text(limits.IDENTITY_CHARS_MAX))
    address: str | Unset = form_field("Address", _address)
