"""The address of the console, with a ticket that signs in once."""

from __future__ import annotations

import json
import sys
from http.client import HTTPException
from typing import TYPE_CHECKING, Final, TextIO
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import ProxyHandler, build_opener

from parlour.console.hosts import is_loopback
from parlour.http.console_requests import CONSOLE_ROOT
from parlour.operations.caller import ACCOUNT, ADMIN, OPERATOR
from parlour.resources.console_sessions import lifecycle as console_session_lifecycle
from parlour.vocabulary.clock import SystemRandom

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.app import App
    from parlour.store.transaction import Transaction, Work
    from parlour.vocabulary.clock import Random

_SECRET_BYTES: Final = 32
_SESSION: Final = f"{CONSOLE_ROOT}/session"
_ASK_SECONDS: Final = 2
_ANSWER_BYTES_MAX: Final = 4_096
_EVERY_ADDRESS: Final = {"0.0.0.0": "localhost", "::": "localhost"}  # noqa: S104 - not bound.


def console_url(root_url: str) -> str:
    """Return the address of the console of a server that listens on this URL."""
    parts = urlsplit(root_url)
    host = _EVERY_ADDRESS.get(parts.hostname or "")
    if host is not None:
        parts = parts._replace(netloc=host if parts.port is None else f"{host}:{parts.port}")
    return f"{urlunsplit(parts).rstrip('/')}{CONSOLE_ROOT}/"


def is_open(root_url: str) -> bool:
    """Return whether a server on this machine gives browsers a session without a sign-in."""
    if not is_loopback(urlsplit(root_url).hostname or ""):
        return False
    # Proxies of the environment are not used; the scheme was checked by the command.
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"{root_url.rstrip('/')}{_SESSION}", timeout=_ASK_SECONDS):
            return False
    except HTTPError as error:
        try:
            return json.loads(error.read(_ANSWER_BYTES_MAX)).get("open") is True
        except (OSError, HTTPException, ValueError, AttributeError):
            return False
    except (OSError, HTTPException, ValueError):
        return False


def ticket_link(root_url: str, secret: str) -> str:
    """Return the address with a ticket: in the fragment, which no server and no log gets."""
    return f"{console_url(root_url)}#ticket={secret}"


def terminal() -> TextIO | None:
    """Return the output that a person reads; None if it is none of both."""
    return next((each for each in (sys.stdout, sys.stderr) if each and each.isatty()), None)


def new_ticket(
    digest_of: Callable[[str], str], random: Random, account_sid: str | None = None
) -> tuple[str, Work[None]]:
    """Return a new secret, and the transaction that stores its ticket.

    It signs in to the account, or without one as an operator with all rights. ``digest_of`` is
    called in the transaction: a command has the vault once its store is open.
    """
    secret = random.token(_SECRET_BYTES).hex()

    async def work(tx: Transaction) -> None:
        await console_session_lifecycle.make_ticket(
            tx,
            kind=OPERATOR if account_sid is None else ACCOUNT,
            name=console_session_lifecycle.LOCAL if account_sid is None else account_sid,
            role=ADMIN,
            account_sid=account_sid or "",
            digest=digest_of(secret),
        )

    return secret, work


async def make_link(app: App, root_url: str) -> str:
    """Return a link that signs in once, as an operator with all rights."""
    secret, work = new_ticket(app.vault.digest, SystemRandom())
    await app.store.write(work)
    return ticket_link(root_url, secret)
