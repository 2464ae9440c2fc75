"""Shared fixtures of the fault tests: a separate PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.postgres_server import shared

if TYPE_CHECKING:
    from tests.support.postgres_server import Postgres


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    """Return the database server of this test process."""
    return shared()
