"""Scope: the tenant of a row, and the first argument of every store function."""

from __future__ import annotations

import msgspec


class Scope(msgspec.Struct, frozen=True):
    """One account and one of its conversation services.

    ``service_sid`` is empty only for what belongs to the account as a whole.
    """

    account_sid: str
    service_sid: str = ""
