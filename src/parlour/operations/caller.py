"""Caller: who makes a request."""

from __future__ import annotations

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """An account (``identity`` is None: it may do all) or a chat user of one of its services."""

    account_sid: str
    login: str
    """The sid that was shown: the account's own or an API key's."""
    identity: str | None = None
