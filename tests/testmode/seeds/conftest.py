"""A server that the tests of a module share, each with separate accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.testmode.seeds.seed_server import SeedServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeedServer]:
    """A server in test mode."""
    with SeedServer(tmp_path_factory.mktemp("seeds") / "data") as running:
        yield running
