"""The doctor's check of operator keys: unused ones are a risk without a benefit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.inspection.checks import DAY_MS, Finding
from parlour.store.engines import DATABASE_NAME, is_postgres
from parlour.store.postgres.settings import read_unused_operators
from parlour.store.sqlite.online_backup import DamagedDatabaseError, unused_operators
from parlour.store.transaction import Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock

if TYPE_CHECKING:
    from parlour.config import Settings

_UNUSED_MS: Final = limits.OPERATOR_UNUSED_DAYS * DAY_MS


async def check_operators(settings: Settings) -> list[Finding]:
    """Return a warning for each operator key that was not used for a long time."""
    before_ms = SystemClock().now_ms() - _UNUSED_MS
    return [
        Finding(
            f"The key of the operator {name} was not used for {limits.OPERATOR_UNUSED_DAYS} days.",
            f"Revoke it: parlour operator revoke {sid}",
            is_unsafe=False,
        )
        for sid, name in await _unused(settings, before_ms)
    ]


async def _unused(settings: Settings, before_ms: int) -> list[tuple[str, str]]:
    # A database that cannot be read is reported by the checks of the database.
    try:
        if settings.database:
            if not is_postgres(settings.database):
                return []
            return await read_unused_operators(settings.database, before_ms)
        path = settings.data / DATABASE_NAME
        return unused_operators(path, before_ms) if path.exists() else []
    except (Unavailable, DamagedDatabaseError, OSError):
        return []
