"""What a client says in JSON, as the parameters of an operation.

A command names the members that count, each with a reader; what else stands in a body is ignored.
A reader makes of a value the texts that a form would hold, so that one set of rules judges both.
A member that is null says nothing, unless its reader knows better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.protocol.addresses import EMAIL, parse_address
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from parlour.protocol.forms import Form

    Reader = Callable[[object], Form]

_NULL: Final = "null"
_object = msgspec.json.Decoder(dict[str, Any]).decode


def parse(body: bytes, readers: Mapping[str, Reader]) -> Form:
    """The parameters of a body. Raises ApiError for what is no JSON object, or no such value."""
    form: Form = {}
    if not readers:
        return form
    try:
        members = _object(body) if body else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ApiError(20001, "Invalid post body.") from None
    for name, reader in readers.items():
        if name in members:
            form |= reader(members[name])
    return form


def _clean(wire_name: str, said: str) -> str:
    """A text as any form could hold it. Raises ApiError."""
    if "\0" in said or (not said.isascii() and _has_surrogates(said)):
        raise ApiError.invalid(wire_name)
    return said


def _has_surrogates(said: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in said)


def text(wire_name: str) -> Reader:
    """A reader of a text."""

    def read(value: object) -> Form:
        if value is None:
            return {}
        if not isinstance(value, str):
            raise ApiError.invalid(wire_name)
        return {wire_name: [_clean(wire_name, value)]}

    return read


def json_text(wire_name: str) -> Reader:
    """A reader of JSON in a text; an object in its place counts as its text."""

    def read(value: object) -> Form:
        if isinstance(value, dict | list):
            value = msgspec.json.encode(value).decode()
        return text(wire_name)(value)

    return read


def number_or_null(wire_name: str) -> Reader:
    """A reader of a whole number; null takes off what was said before."""

    def read(value: object) -> Form:
        if value is None:
            return {wire_name: [_NULL]}
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ApiError(50421)
        return {wire_name: [str(value)]}

    return read


def texts(wire_name: str, count_max: int) -> Reader:
    """A reader of a list of texts; an empty one says nothing."""

    def read(value: object) -> Form:
        if value is None or value == []:
            return {}
        if not isinstance(value, list) or len(value) > count_max:
            raise ApiError.invalid(wire_name)
        if not all(isinstance(each, str) and each for each in value):
            raise ApiError.invalid(wire_name)
        return {wire_name: [_clean(wire_name, each) for each in value]}

    return read


def inside(readers: Mapping[str, Reader], wire_name: str) -> Reader:
    """A reader of an object whose members have readers."""

    def read(value: object) -> Form:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise ApiError.invalid(wire_name)
        form: Form = {}
        for name, reader in readers.items():
            if name in value:
                form |= reader(value[name])
        return form

    return read


def messaging_binding(value: object) -> Form:
    """A reader of how a new participant is reached.

    Clients always name a proxy; an e-mail address has none, and is not refused for it.
    """
    form = _binding(value)
    address = parse_address(form.get("MessagingBinding.Address", [""])[0])
    if address is not None and address.type == EMAIL:
        form.pop("MessagingBinding.ProxyAddress", None)
    return form


_binding: Final = inside(
    {
        "address": text("MessagingBinding.Address"),
        "proxy_address": text("MessagingBinding.ProxyAddress"),
        "level": text("MessagingBinding.Level"),
        "name": text("MessagingBinding.Name"),
    },
    "MessagingBinding",
)
