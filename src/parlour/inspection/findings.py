"""All checks of the doctor that need no connection to a carrier, by the name of their group."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.inspection.checks import Finding, check_machine, check_settings
from parlour.inspection.checks_database import check_database
from parlour.inspection.checks_operators import check_operators

if TYPE_CHECKING:
    from parlour.channels.carriers_file import CarrierSettings
    from parlour.config import Settings


def find_all(settings: Settings) -> dict[str, list[Finding]]:
    """Return the findings of each group. It reads files and the database: not in an event loop."""
    return {
        "settings": list(check_settings(settings)),
        "machine": list(check_machine(settings)),
        "database": asyncio.run(check_database(settings.database, settings.data)),
        "operators": asyncio.run(check_operators(settings)),
    }


def find_in_carriers_file(settings: Settings, carriers: CarrierSettings) -> list[Finding]:
    """Return the findings about the carriers file, without connecting to a carrier."""
    from parlour.inspection.checks_carriers import check_carriers_file  # noqa: PLC0415 - if used.

    return check_carriers_file(settings, carriers)
