"""The idle control server for comparison with the attacked one; attacks run one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
# Concurrent request slots of a narrow server.
PLACES = 8


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of this folder in one process."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("attacks"))


@pytest.fixture(scope="module", autouse=True)
def _executed_servers() -> Iterator[None]:
    """Start a new process for each server: its memory is measured and not shared.

    A commit of such a server waits for the disk, which other tests use at the same time.
    """
    Server.is_forked = False
    yield
    Server.is_forked = True


@pytest.fixture(scope="session")
def control() -> Iterator[Server]:
    """An idle server that is not attacked: its latency is the machine's noise, the disk's too."""
    server = Server()
    server.is_forked = False  # `_executed_servers` starts later than a fixture of the session.
    with server as running:
        yield running


@pytest.fixture
def narrow_server() -> Iterator[Server]:
    """A server with few request slots, which two accounts can fill."""
    few = {
        "PARLOUR_CONCURRENT_REQUESTS_MAX": str(PLACES),
        "PARLOUR_CONCURRENT_REQUESTS_PER_ACCOUNT_MAX": str(PLACES // 2),
    }
    with Server(env=few) as running:
        yield running
