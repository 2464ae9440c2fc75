"""Validation of setting values: the checks that `config` declares.

A check is a description of the allowed values for the documentation ("0 to 65535"), and a function
that returns an error message, or an empty string for a valid value. Checks are pure: they use no
file and no network.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from parlour.vocabulary import sids

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}\Z")
_HOST: Final = re.compile(r"[A-Za-z0-9._:%-]+\Z")
_DATABASE_HOST: Final = re.compile(r"\[[^\[\]]+\]|[^\[\]:]*")
_NAME: Final = "1 to 63 characters between its dots"
# After the last colon, unless it is within an IPv6 address in brackets.
_PORT: Final = re.compile(r":([^:\]]*)\Z")
_PORT_NUMBER: Final = re.compile(r"[0-9]{1,5}")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_WORDS: Final = {
    **dict.fromkeys(("true", "yes", "on", "t", "y", "1"), True),
    **dict.fromkeys(("false", "no", "off", "f", "n", "0"), False),
}


class Check(NamedTuple):
    """The validation of one setting."""

    allowed: str
    fault: Callable[[Any], str]


def between(least: int, most: int) -> Check:
    """Return the check of an integer; both bounds are included."""
    allowed = f"{least} to {most}"
    return Check(allowed, lambda value: "" if least <= value <= most else f"must be from {allowed}")


def one_of(*words: str, in_any_case: bool = False) -> Check:
    """Return the check of an enumeration."""
    allowed = f"{', '.join(words[:-1])} or {words[-1]}"

    def fault(value: str) -> str:
        word = value.lower() if in_any_case else value
        return "" if word in words else f"must be {allowed}"

    return Check(allowed, fault)


def _path_fault(value: object) -> str:
    return "must be a path" if "\0" in str(value) else ""


def _secret_fault(value: str) -> str:
    if _UNPRINTABLE.search(value):
        return "must not contain spaces, line ends or control characters"
    return ""


def _host_fault(value: str) -> str:
    if not value:
        return "must be an address or a host name; 0.0.0.0 or :: is every address"
    if not _HOST.match(value):
        return "must be an address or a host name, without a scheme and a path"
    return "" if _is_name(value) else f"must be a host name with {_NAME}"


def _is_name(host: str) -> bool:
    """Return whether a host name can be encoded; a resolver raises UnicodeError for any other."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _database_fault(value: str) -> str:
    if not value:
        return ""
    if not value.startswith(("postgresql://", "postgres://")):
        return "must be postgresql://user@host/name, or empty for SQLite in the data folder"
    if _UNPRINTABLE.search(value):
        return "must not contain spaces: write them as %20"
    # A URL may list several hosts, each with its port.
    authority = re.split("[/?#]", value.partition("://")[2], maxsplit=1)[0]
    faults = map(_database_host_fault, authority.rpartition("@")[2].split(","))
    return next(filter(None, faults), "")


def _database_host_fault(host: str) -> str:
    port = _PORT.search(host)
    if port and not (_PORT_NUMBER.fullmatch(port[1]) and 0 < int(port[1]) <= 65535):
        return "must have ports from 1 to 65535"
    name = host[: port.start()] if port else host
    if not _DATABASE_HOST.fullmatch(name):
        return "must have host names, or IPv6 addresses in brackets"
    # A host with "%" is the path of a Unix socket.
    return "" if "%" in name or _is_name(name) else f"must have hosts with {_NAME}"


def _redis_fault(value: str) -> str:
    if not value:
        return ""
    if not value.startswith(("redis://", "rediss://", "unix://")):
        return "must be redis://host:port, rediss://host:port or unix:///path"
    if value.startswith("unix://"):
        return "" if len(value) > len("unix://") else "must name the path of the socket"
    return _authority_fault(value)


def _url_fault(value: str) -> str:
    if not value:
        return ""
    if not value.startswith(("http://", "https://")):
        return "must begin with http:// or https://"
    if _UNPRINTABLE.search(value) or "?" in value or "#" in value:
        return "must not contain spaces, a query or a fragment"
    return _authority_fault(value)


def _public_url_fault(value: str) -> str:
    if "@" in value:
        return "must not contain a user name or a password"
    return _url_fault(value)


def _authority_fault(value: str) -> str:
    """Return the error in the host and port of a URL."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return "must have a host and, if any, a port from 1 to 65535"
    if not parts.hostname:
        return "must name a host"
    if not _is_name(parts.hostname):
        return f"must have a host with {_NAME}"
    return "must have a port from 1 to 65535" if port == 0 else ""


def _networks_fault(value: str) -> str:
    from parlour.protocol.forwarded import parse_networks  # noqa: PLC0415 - help needs none of it.

    try:
        parse_networks(value)
    except ValueError as error:
        return str(error)
    return ""


def _networks_and_names_fault(value: str) -> str:
    from parlour.protocol.egress_policy import EgressPolicy  # noqa: PLC0415 - as above.
    from parlour.protocol.forwarded import network_fault  # noqa: PLC0415 - as above.

    for entry in filter(None, (part.strip() for part in value.split(","))):
        try:
            EgressPolicy(allow_private=False, allow_list=(entry,))
        except ValueError as error:
            return network_fault(entry) if "/" in entry else str(error).rstrip(".")
    return ""


def is_loopback_url(url: str) -> bool:
    """Return whether the host of a valid URL is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _origins_fault(value: str) -> str:
    for origin in filter(None, (part.strip() for part in value.split(","))):
        fault = _public_url_fault(origin)
        if fault:
            return fault
        if urlsplit(origin).path:
            return "must be scheme, host and port, without a path"
    return ""


def _hosts_fault(value: str) -> str:
    for host in filter(None, (part.strip() for part in value.split(","))):
        fault = _host_fault(host)
        if fault:
            return fault
        if ":" in host and not _is_address(host):
            return "must be addresses and host names, without ports"
    return ""


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def sid(prefix: str) -> Check:
    """Return the check of an optional SID."""
    allowed = f"{prefix} and 32 hexadecimal digits"

    def fault(value: str) -> str:
        return "" if not value or sids.is_sid(prefix, value) else f"must be {allowed}"

    return Check(allowed, fault)


BOOLEAN: Final = Check("true or false", lambda _value: "")
PATH: Final = Check("a path", _path_fault)
OPTIONAL_PATH: Final = Check("a path or empty", _path_fault)
SECRET: Final = Check("text without spaces", _secret_fault)
HOST: Final = Check("an address or a host name", _host_fault)
DATABASE_URL: Final = Check("postgresql://… or empty", _database_fault)
REDIS_URL: Final = Check("redis://…, rediss://…, unix://… or empty", _redis_fault)
URL: Final = Check("http://…, https://… or empty", _url_fault)
HOSTS: Final = Check("addresses and host names", _hosts_fault)
ORIGINS: Final = Check("origins", _origins_fault)
PUBLIC_URL: Final = Check("http://…, https://… or empty", _public_url_fault)
NETWORKS: Final = Check("networks and addresses", _networks_fault)
NETWORKS_AND_NAMES: Final = Check("networks, addresses and host names", _networks_and_names_fault)


def parse(text: str, kind: type) -> Any:
    """Return the value of a text. Raises ValueError with the expected form."""
    # Bytes of the command line or environment that are not UTF-8 become lone surrogates, which
    # neither SQLite nor a cipher accepts.
    if _SURROGATE.search(text):
        raise ValueError("must be text in UTF-8")
    if kind is int:
        if not _NUMBER.match(text.strip()):
            raise ValueError("must be a whole number")
        return int(text)
    if kind is bool:
        word = text.strip().lower()
        if word not in _WORDS:
            raise ValueError("must be true or false")
        return _WORDS[word]
    # `Path("")` would be the current folder, which is spelled as a dot.
    # Each value of a setting that can be given several times; all of these are paths.
    made = Path if kind is tuple else kind
    if issubclass(made, Path) and not text:
        raise ValueError("must be a path")
    return made(text)


def without_password(text: str) -> str:
    """Return a URL without password and query, for messages."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        # Not a URL, so possibly a password: only plain characters are shown.
        return text if re.fullmatch(r"[A-Za-z0-9.:/_-]*", text) else "…"
    rest = rest.partition("?")[0]
    before, at, after = rest.rpartition("@")
    user = before.partition(":")[0]
    return f"{scheme}://{user}{at}{after}"
