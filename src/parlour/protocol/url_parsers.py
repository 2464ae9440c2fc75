"""The parser of parameters that are absolute URLs."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from parlour.protocol.parsers import UNSPECIFIC, Parser, invalid_value, with_schema
from parlour.vocabulary import limits

_SCHEMES = frozenset({"http", "https"})
_HOST = re.compile(r"[^\s/?#@:\[\]<>\"{}|\\^`%]{1,253}\Z")


def url(
    code: int = UNSPECIFIC,
    *,
    chars_max: int = limits.URL_CHARS_MAX,
    code_long: int | None = None,
) -> Parser[str]:
    """Make the parser of absolute http and https URLs, returned as received.

    A longer one raises `code_long`, or `code` without one.
    """

    def parse(name: str, value: str) -> str:
        if len(value) > chars_max:
            raise invalid_value(code if code_long is None else code_long, name)
        if not _is_url(value):
            raise invalid_value(code, name)
        return value

    return with_schema(parse, {"type": "string", "format": "uri", "maxLength": chars_max})


def _is_url(value: str) -> bool:
    # isprintable() is false for control characters and for every space but " ".
    if " " in value or "\\" in value or not value.isprintable():
        return False
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    return (
        parts.scheme in _SCHEMES
        and port != 0
        and (_is_ipv6(host) if "[" in parts.netloc else _HOST.match(host) is not None)
    )


def _is_ipv6(host: str) -> bool:
    try:
        # A zone names an interface of the host that wrote the URL, so it is refused.
        return IPv6Address(host).scope_id is None
    except ValueError:
        return False
