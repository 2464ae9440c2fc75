"""Structs and dataclasses whose ``repr`` shows no secret.

It ends up in logs, tracebacks and failed assertions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

REDACTED: Final = "***"
_SECRET_NAME: Final = re.compile(
    r"(?:^|_)(?:password|secret|token|credentials|private_key|api_key|secrets?_(?:digest|sealed))$"
)
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
    """A base of structs and dataclasses with secrets: ``repr`` shows only whether one is set.

    Before ``msgspec.Struct`` in the list of bases; of a dataclass with ``repr=False``.
    """

    __slots__ = ()
    __struct_fields__: ClassVar[tuple[str, ...]]
    __dataclass_fields__: ClassVar[dict[str, Any]]
    secret_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields with secrets whose names do not show it."""

    def __repr__(self) -> str:
        """Return the fields, without the values of secrets and parts of URLs."""
        names: Iterable[str] = getattr(self, "__struct_fields__", ()) or self.__dataclass_fields__
        shown = (f"{name}={self._shown(name, getattr(self, name))}" for name in names)
        return f"{type(self).__name__}({', '.join(shown)})"

    def _shown(self, name: str, value: object) -> str:
        if value and (is_secret_name(name) or name in self.secret_fields):
            return repr(REDACTED)
        return _shown_url(name, value)


def _shown_url(name: str, value: object) -> str:
    if isinstance(value, str) and is_url_name(name):
        return repr(redacted_url(value))
    return repr(value)
