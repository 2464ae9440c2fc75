"""Each of the 103 operations through the REST clients, distributed over three nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract import test_every_operation, test_every_operation_npm
from tests.contract.operations import BY_ID
from tests.support.cluster import BalancedCluster
from tests.support.nodejs import install_packages
from tests.support.postgres_server import shared

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("nodes")

REQUESTS_PER_NODE_MIN = 60


@pytest.fixture
def balanced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BalancedCluster]:
    """Three nodes behind a balancer; each must have received requests at the end."""
    with BalancedCluster(shared(), tmp_path_factory.mktemp("nodes")) as found:
        yield found
        for taken in found.balancer.taken():
            assert taken.requests >= REQUESTS_PER_NODE_MIN


def test_a_program_written_for_the_python_client_works(balanced: BalancedCluster) -> None:
    drive = test_every_operation.ScenarioRun(balanced)
    assert drive.failures == {}
    assert drive.recorder.driven == set(BY_ID)


@pytest.mark.gate
def test_a_program_written_for_the_npm_client_works(balanced: BalancedCluster) -> None:
    install_packages(test_every_operation_npm.HERE)
    drive = test_every_operation_npm.NpmRun(balanced)
    failed = [line for lines in drive.checks.values() for line in lines if not line["ok"]]
    assert failed == []
    assert sorted(drive.checks) == test_every_operation_npm.RUNS
    assert drive.driven == set(BY_ID)
