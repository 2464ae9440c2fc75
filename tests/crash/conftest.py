"""Servers of the crash tests: their commits wait for the disk, as an operator's do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def _durable_servers() -> Iterator[None]:
    Server.is_durable = True
    yield
    Server.is_durable = False
