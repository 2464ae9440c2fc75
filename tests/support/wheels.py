"""The wheel of the repository, built as pip builds it."""

from __future__ import annotations

from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

from tests.support.server import REPOSITORY


def build_wheel(folder: Path) -> Path:
    """Build the wheel into a folder; return its path."""
    builder = WheelBuilder(str(REPOSITORY))
    return Path(next(iter(builder.build(directory=str(folder), versions=["standard"]))))
