"""The installed kit, and a server in test mode that its runs attach to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.server import Server
from tests.testkit.installed_kit import InstalledKit, install

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> InstalledKit:
    """The Python kit, installed once."""
    return install(tmp_path_factory.mktemp("kit") / "site")


@pytest.fixture(scope="session")
def kit_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in test mode with its well-known account."""
    data = tmp_path_factory.mktemp("testkit") / "data"
    own = {"PARLOUR_ACCOUNT_SID": "", "PARLOUR_AUTH_TOKEN": "", "PARLOUR_DATABASE": ""}
    with Server(data, own, args=("--test",)) as running:
        yield running
