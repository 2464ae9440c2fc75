"""Parsing of JSON bodies of commands into the parameters of an operation.

A command names the members that it reads, each with a reader. All other members are validated as
JSON and skipped without creating objects: a body of a million brackets would block the event loop
as long as thousands of commands. A reader converts a JSON value into the strings that a form
would contain, so that one set of parsers validates both. ``null`` means absent, unless the reader
defines otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from parlour.protocol.addresses import EMAIL, normalise_address, parse_address
from parlour.protocol.forms import FormFields
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

Reader = Callable[[bytes], FormFields]
"""Reads one value of JSON; raises ApiError for a wrong one."""

_NULL: Final = "null"
_string: Final = msgspec.json.Decoder(str | None).decode
_strings: Final = msgspec.json.Decoder(list[str] | None).decode
_number: Final = msgspec.json.Decoder(int | float).decode
_ABSENT: Final = msgspec.Raw(b"")


class Members:
    """The members of a JSON object that are read, each with its reader."""

    __slots__ = ("_decode", "_readers")

    def __init__(self, readers: dict[str, Reader]) -> None:
        self._readers = readers
        known: list[tuple[str, Any, Any]] = [(name, msgspec.Raw, _ABSENT) for name in readers]
        self._decode = msgspec.json.Decoder(msgspec.defstruct("Known", known)).decode

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self._readers)

    def read(self, raw: bytes) -> FormFields:
        """Read an object. Raises msgspec.ValidationError if it is none, and ApiError."""
        found = self._decode(raw)
        form: FormFields = {}
        for name, reader in self._readers.items():
            value = bytes(getattr(found, name))
            if value:
                form |= reader(value)
        return form


def parse(body: bytes, members: Members) -> FormFields:
    """Return the parameters of a body. Raises ApiError for invalid JSON or values."""
    if not members or not body:
        return {}
    try:
        return members.read(body)
    except (ValueError, RecursionError):
        raise ApiError(20001, "Invalid post body.") from None


def _clean(wire_name: str, value: str) -> str:
    """Return a string that a form could contain. Raises ApiError."""
    if "\0" in value or (not value.isascii() and _has_surrogates(value)):
        raise ApiError.invalid(wire_name)
    return value


def _has_surrogates(value: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in value)


def text(wire_name: str) -> Reader:
    """Return a reader of a string."""

    def read(raw: bytes) -> FormFields:
        try:
            value = _string(raw)
        except msgspec.ValidationError:
            raise ApiError.invalid(wire_name) from None
        return {} if value is None else {wire_name: [_clean(wire_name, value)]}

    return read


def json_text(wire_name: str) -> Reader:
    """Return a reader of JSON in a string; an object or array is read as its text."""
    read_text = text(wire_name)

    def read(raw: bytes) -> FormFields:
        if raw[:1] not in {b"{", b"["}:
            return read_text(raw)
        return {wire_name: [_clean(wire_name, msgspec.json.format(raw, indent=-1).decode())]}

    return read


def number_or_null(wire_name: str) -> Reader:
    """Return a reader of a whole number; ``null`` clears the stored value."""

    def read(raw: bytes) -> FormFields:
        if raw == b"null":
            return {wire_name: [_NULL]}
        try:
            return {wire_name: [str(_number(raw))]}
        except msgspec.ValidationError:
            raise ApiError(50421) from None

    return read


def texts(wire_name: str, count_max: int) -> Reader:
    """Return a reader of a list of strings; an empty list means absent."""

    def read(raw: bytes) -> FormFields:
        if len(raw) > limits.COMMAND_LIST_BYTES_MAX:
            raise ApiError.invalid(wire_name)
        try:
            values = _strings(raw) or []
        except msgspec.ValidationError:
            raise ApiError.invalid(wire_name) from None
        if len(values) > count_max or not all(values):
            raise ApiError.invalid(wire_name)
        return {wire_name: [_clean(wire_name, each) for each in values]} if values else {}

    return read


def nested(readers: dict[str, Reader], wire_name: str) -> Reader:
    """Return a reader of an object with readers for its members."""
    members = Members(readers)

    def read(raw: bytes) -> FormFields:
        if raw == b"null":
            return {}
        try:
            return members.read(raw)
        except msgspec.ValidationError:
            raise ApiError.invalid(wire_name) from None

    return read


def messaging_binding(raw: bytes) -> FormFields:
    """Read the messaging binding of a new participant.

    Clients always send a proxy address. An e-mail address has none, so the proxy address is
    ignored.
    """
    form = _binding(raw)
    address = parse_address(normalise_address(form.get("MessagingBinding.Address", [""])[0]))
    if address is not None and address.type == EMAIL:
        form.pop("MessagingBinding.ProxyAddress", None)
    return form


_binding: Final = nested(
    {
        "address": text("MessagingBinding.Address"),
        "proxy_address": text("MessagingBinding.ProxyAddress"),
        "level": text("MessagingBinding.Level"),
        "name": text("MessagingBinding.Name"),
    },
    "MessagingBinding",
)
