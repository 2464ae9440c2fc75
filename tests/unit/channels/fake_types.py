"""Types of carriers for tests of the carriers file."""

from __future__ import annotations

from typing import Any

import msgspec


class FakeOptions(msgspec.Struct, frozen=True, rename="kebab"):
    """Options of several kinds."""

    host: str
    port: int = 2775
    password: str = ""
    uses_tls: bool = False
    links: list[dict[str, str]] = []
    limits: dict[str, int] = {}


class FakeType:
    """A type that carries SMS and WhatsApp."""

    options = FakeOptions
    channels = frozenset({"sms", "whatsapp"})

    def make(self, name: str, options: Any, context: Any) -> Any:
        """Return the arguments; port 1 does not fit, port 2 needs a library."""
        if options.port == 1:
            raise ValueError("port 1 needs uses-tls")
        if options.port == 2:
            raise ModuleNotFoundError("No module named 'missing_library'", name="missing_library")
        return name, options, context


class VirtualOptions(msgspec.Struct, frozen=True):
    """No options."""


class FakeVirtualType(FakeType):
    """A type that carries every channel."""

    options: Any = VirtualOptions
    channels = frozenset({"sms", "whatsapp", "email", "rcs", "messenger", "gbm", "apple"})


CARRIER_TYPE = FakeType()
VIRTUAL_TYPE = FakeVirtualType()
NO_OPTIONS = object()
