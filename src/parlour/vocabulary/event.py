"""Event: one row of the event log, a committed fact."""

from __future__ import annotations

from typing import Final

import msgspec


class _Cause(msgspec.Struct, frozen=True):
    """The part of a payload that names the request."""

    request_sid: str | None = None


_decode_cause: Final = msgspec.json.Decoder(_Cause).decode


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

    @property
    def request_sid(self) -> str | None:
        """The request that caused it; None if none did, or if the payload cannot be decoded."""
        try:
            return _decode_cause(self.payload).request_sid
        except (ValueError, RecursionError):
            return None
