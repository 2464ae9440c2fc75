"""The carriers file of commands: its errors are errors of the settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from parlour.cli.options import SettingsError

if TYPE_CHECKING:
    from parlour.channels.carriers_file import CarrierSettings
    from parlour.config import Settings


def read_carriers(settings: Settings) -> CarrierSettings | None:
    """Return the content of the carriers file, None without one. Raises SettingsError."""
    if not settings.carriers:
        return None
    from parlour.channels.carriers_file import read_carriers_file  # noqa: PLC0415 - only if used.
    from parlour.channels.file_faults import CarriersFileError  # noqa: PLC0415 - as above.

    try:
        return read_carriers_file(Path(settings.carriers), os.environ)
    except CarriersFileError as error:
        raise SettingsError(error.faults) from error
