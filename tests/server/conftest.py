"""Fixtures of this folder."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Collect what a test opens; everything is closed at the end."""
    with ExitStack() as entered:
        yield entered
