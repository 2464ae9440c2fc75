"""Test programs against a Parlour server, with pytest or without.

With pytest the fixtures ``parlour_*`` are available as soon as the package is installed. Without
it::

    with parlour_testkit.start() as server:
        account = server.create_account()
        client = account.client()

All modules are imported on first use: a test run that uses no fixture pays for none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parlour_testkit.account import Account
    from parlour_testkit.clock import Advance, Clock
    from parlour_testkit.errors import (
        ApiError,
        ExpectationFailed,
        FaultsLeft,
        InvalidSignature,
        NotSettled,
        ServerStartFailed,
        ServerUnreachable,
        TestKitError,
        UnexpectedWebhook,
        VersionMismatch,
        WaitTimedOut,
    )
    from parlour_testkit.faults import Fault, Faults
    from parlour_testkit.journal import JournalEntry, RequestJournal
    from parlour_testkit.phones import Phone, PhoneMessage, Phones
    from parlour_testkit.seeds import Sids
    from parlour_testkit.server import Server, connect, start
    from parlour_testkit.webhooks import Webhook, Webhooks

__version__ = "0.1.0"

_MODULES = {
    "account": ("Account",),
    "clock": ("Advance", "Clock"),
    "errors": (
        "ApiError",
        "ExpectationFailed",
        "FaultsLeft",
        "InvalidSignature",
        "NotSettled",
        "ServerStartFailed",
        "ServerUnreachable",
        "TestKitError",
        "UnexpectedWebhook",
        "VersionMismatch",
        "WaitTimedOut",
    ),
    "faults": ("Fault", "Faults"),
    "journal": ("JournalEntry", "RequestJournal"),
    "phones": ("Phone", "PhoneMessage", "Phones"),
    "seeds": ("Sids",),
    "server": ("Server", "connect", "start"),
    "webhooks": ("Webhook", "Webhooks"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Account",
    "Advance",
    "ApiError",
    "Clock",
    "ExpectationFailed",
    "Fault",
    "Faults",
    "FaultsLeft",
    "InvalidSignature",
    "JournalEntry",
    "NotSettled",
    "Phone",
    "PhoneMessage",
    "Phones",
    "RequestJournal",
    "Server",
    "ServerStartFailed",
    "ServerUnreachable",
    "Sids",
    "TestKitError",
    "UnexpectedWebhook",
    "VersionMismatch",
    "WaitTimedOut",
    "Webhook",
    "Webhooks",
    "connect",
    "start",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
