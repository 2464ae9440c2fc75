"""Event: one row of the event log, a committed fact."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True):
    """One row of the event log, as consumers read it.

    ``sequence`` grows in commit order; ``payload`` is JSON text, its shape given by ``name``
    (``resources/<resource>/representation.py`` writes and reads it); ``date_ms`` is when.
    """

    sequence: int
    account_sid: str
    service_sid: str
    conversation_sid: str
    subject_sid: str
    name: str
    source: str
    client_identity: str | None
    fires: bool
    date_ms: int
    payload: str
