"""Structs whose ``repr`` shows no secret: it ends up in logs, tracebacks and failed assertions."""

from __future__ import annotations

import re
from typing import Final

REDACTED: Final = "***"
_SECRET_NAME: Final = re.compile(r"(?:^|_)(?:password|secret|token|credentials)$")
_URL_NAME: Final = re.compile(r"(?:^|_)url$")
# The user and password of a URL, and its query.
_CREDENTIALS: Final = re.compile(r"(?<=//)[^/?#]*@")
_QUERY: Final = re.compile(r"\?.*", re.DOTALL)


def is_secret_name(name: str) -> bool:
    """Return whether a field with this name has a secret."""
    return _SECRET_NAME.search(name) is not None


def is_url_name(name: str) -> bool:
    """Return whether a field with this name has a URL, parts of which may be secret."""
    return _URL_NAME.search(name) is not None


def redacted_url(url: str) -> str:
    """Return a URL without user, password and query."""
    return _QUERY.sub(f"?{REDACTED}", _CREDENTIALS.sub(f"{REDACTED}@", url))


class Redacted:
    """A base of structs with secrets: ``repr`` shows only whether one is set.

    Before ``msgspec.Struct`` in the list of bases.
    """

    __slots__ = ()
    __struct_fields__: tuple[str, ...]

    def __repr__(self) -> str:
        """Return the fields, without the values of secrets and parts of URLs."""
        shown = (f"{name}={_shown(name, getattr(self, name))}" for name in self.__struct_fields__)
        return f"{type(self).__name__}({', '.join(shown)})"


def _shown(name: str, value: object) -> str:
    if value and is_secret_name(name):
        return repr(REDACTED)
    if isinstance(value, str) and is_url_name(name):
        return repr(redacted_url(value))
    return repr(value)
