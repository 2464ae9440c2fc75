"""Origin: the cause of a change, and whether it triggers webhooks. Inherited by its effects."""

from __future__ import annotations

from typing import Final

import msgspec

API: Final = "API"
SDK: Final = "SDK"


class Origin(msgspec.Struct, frozen=True):
    """The cause of a change.

    ``source`` is API, SDK or the upper-case name of a channel; ``client_identity`` is set for
    SDK users only; ``fires`` is whether the change triggers webhooks: always for SDK users and
    channels, for API requests only with the header ``X-Twilio-Webhook-Enabled: true``.
    ``request_sid`` is the request of a program or a client; empty for effects without one.
    """

    source: str = API
    client_identity: str | None = None
    fires: bool = False
    request_sid: str = ""


SILENT: Final = Origin()
"""A change through the API without the header."""

SYSTEM: Final = Origin(fires=True)
"""Timers and delivery reports, which always trigger webhooks."""
