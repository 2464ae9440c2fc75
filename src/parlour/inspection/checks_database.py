"""The doctor's checks of a PostgreSQL database: durability, row security and replication."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.inspection.checks import Finding
from parlour.inspection.checks_key import check_embedded_key, check_key
from parlour.setting_checks import without_password
from parlour.store.engines import is_postgres
from parlour.store.postgres.settings import DatabaseSettings, read_settings
from parlour.store.transaction import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOSES: Final = {
    "fsync": "a power failure can make the database unreadable",
    "full_page_writes": "a power failure can corrupt pages",
    "synchronous_commit": "a crash loses changes that were answered",
}


async def check_database(url: str, data: Path) -> list[Finding]:
    """Return the findings about the database of a URL; of the embedded one if it is empty."""
    if not url:
        return list(check_embedded_key(data))
    if not is_postgres(url):
        return [
            Finding("The database's URL is not a PostgreSQL URL.", "The server would not start.")
        ]
    try:
        settings = await read_settings(url)
    except Unavailable as error:
        return [Finding(f"The database cannot be queried: {error}.", "Make sure that it runs.")]
    name = without_password(url)
    return [*_findings(settings), *check_key(data, settings.key_fingerprint, name)]


def _findings(settings: DatabaseSettings) -> Iterator[Finding]:
    for name, loss in _LOSES.items():
        if settings.values.get(name) in {"off", "local"}:
            what = f"{name} is {settings.values[name]} in PostgreSQL: {loss}."
            yield Finding(what, f"Set {name} on.")
    if settings.passes_policies:
        yield Finding(
            "The role bypasses row-level security, the second barrier between accounts.",
            "Use a role that is neither superuser nor has BYPASSRLS.",
        )
    if not settings.values.get("synchronous_standby_names"):
        yield Finding(
            "No standby confirms commits: data lost with the primary's disk cannot be recovered.",
            "For durability beyond one machine, name a standby in synchronous_standby_names.",
            is_unsafe=False,
        )
