"""A house of its own for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.realtime.users import Play, player

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return player(tmp_path)
