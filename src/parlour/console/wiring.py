"""Composition of the console of one process, at its first request (first_request.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour import __version__
from parlour.console.endpoint import ConsoleEndpoint
from parlour.console.gate import Gate
from parlour.console.hosts import ConsoleHosts
from parlour.console.pages import Pages
from parlour.console.sessions import Sessions
from parlour.console.sign_ins import SignIns
from parlour.resources.server.description import node_name
from parlour.vocabulary.clock import SystemRandom

if TYPE_CHECKING:
    from parlour.http.console_requests import GatedOperations
    from parlour.http.messages import Headers
    from parlour.http.wiring import HttpParts


def make_endpoint(
    parts: HttpParts, operations: GatedOperations, headers: Headers
) -> ConsoleEndpoint:
    """Return the endpoint of the console, in front of these operations."""
    settings = parts.settings
    hosts = ConsoleHosts(settings, parts.client_addresses)
    # Tokens are unpredictable also where test mode repeats its random SIDs.
    random = SystemRandom()
    sessions = Sessions(parts.store, parts.vault, parts.clock, random, is_test=settings.test)
    sign_ins = SignIns(
        parts.store,
        parts.vault,
        parts.clock,
        parts.authentication,
        hosts,
        is_test=settings.test,
        may_be_open=settings.test and settings.listens_on_loopback,
    )
    gate = Gate(
        operations,
        sessions,
        hosts,
        parts.store,
        parts.clock,
        shows_bodies=settings.console_bodies,
    )
    return ConsoleEndpoint(
        headers,
        hosts=hosts,
        pages=Pages(headers),
        sessions=sessions,
        sign_ins=sign_ins,
        gate=gate,
        server={"test": settings.test, "version": __version__, "node": node_name()},
    )
