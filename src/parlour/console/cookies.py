"""The cookie of a session: its name and attributes, and its value in a request.

Over TLS the name has the prefix ``__Secure-``, so that no page over plain HTTP can set it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.http.console_requests import CONSOLE_ROOT

if TYPE_CHECKING:
    from parlour.http.messages import Request

_NAMES: Final = {"http": "parlour", "https": "__Secure-parlour"}
_ATTRIBUTES: Final = f"; Path={CONSOLE_ROOT}; HttpOnly; SameSite=Strict"


def token_of(request: Request, scheme: str) -> str:
    """Return the token of a request; empty without one, and with several different ones.

    Pages at other ports of the host may set a cookie of the same name, with a narrower path: with
    it a browser would use the session of an attacker.
    """
    name = _NAMES[scheme]
    tokens = set()
    for line in request.header_values(b"cookie"):
        for pair in line.split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                tokens.add(value)
    return tokens.pop() if len(tokens) == 1 else ""


def set_cookie(token: str, scheme: str) -> tuple[bytes, bytes]:
    """Return the header that stores a token."""
    return (b"set-cookie", f"{_NAMES[scheme]}={token}{_attributes(scheme)}".encode())


def clear_cookie(scheme: str) -> tuple[bytes, bytes]:
    """Return the header that removes the token."""
    return (b"set-cookie", f"{_NAMES[scheme]}=; Max-Age=0{_attributes(scheme)}".encode())


def _attributes(scheme: str) -> str:
    return _ATTRIBUTES + ("; Secure" if scheme == "https" else "")
