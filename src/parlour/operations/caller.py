"""Caller: the authenticated origin of a request."""

from __future__ import annotations

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """An account (``identity`` is None: no permission is checked) or a chat user of a service."""

    account_sid: str
    login: str
    """The SID that was presented: of the account, or of an API key."""
    identity: str | None = None
