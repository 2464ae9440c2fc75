"""The address of the console, with a ticket that signs in once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, TextIO
from urllib.parse import urlsplit, urlunsplit

from parlour.http.console_requests import CONSOLE_ROOT
from parlour.operations.caller import ADMIN, OPERATOR
from parlour.resources.console_sessions import lifecycle as console_session_lifecycle
from parlour.vocabulary.clock import SystemRandom

if TYPE_CHECKING:
    from parlour.app import App

_SECRET_BYTES: Final = 32
_EVERY_ADDRESS: Final = {"0.0.0.0": "localhost", "::": "localhost"}  # noqa: S104 - not bound.


def console_url(root_url: str) -> str:
    """Return the address of the console of a server that listens on this URL."""
    parts = urlsplit(root_url)
    host = _EVERY_ADDRESS.get(parts.hostname or "")
    if host is not None:
        parts = parts._replace(netloc=host if parts.port is None else f"{host}:{parts.port}")
    return f"{urlunsplit(parts).rstrip('/')}{CONSOLE_ROOT}/"


def ticket_link(root_url: str, secret: str) -> str:
    """Return the address with a ticket: in the fragment, which no server and no log gets."""
    return f"{console_url(root_url)}#ticket={secret}"


def terminal() -> TextIO | None:
    """Return the output that a person reads; None if it is none of both."""
    return next((each for each in (sys.stdout, sys.stderr) if each and each.isatty()), None)


async def make_link(app: App, root_url: str) -> str:
    """Return a link that signs in once, as an operator with all rights."""
    secret = SystemRandom().token(_SECRET_BYTES).hex()
    digest = app.vault.digest(secret)
    await app.store.write(
        lambda tx: console_session_lifecycle.make_ticket(
            tx,
            kind=OPERATOR,
            name=console_session_lifecycle.LOCAL,
            role=ADMIN,
            account_sid="",
            digest=digest,
        )
    )
    return ticket_link(root_url, secret)
