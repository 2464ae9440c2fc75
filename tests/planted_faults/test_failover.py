"""The failover harness reports faults: a standby that confirms nothing loses changes."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.faults.fault_run import run_with_fault
from tests.faults.test_failover import PrimaryAndStandby, server_on

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("nodes"), pytest.mark.gate]

BEHIND_SECONDS = 1.0


def lose_a_second(pair: PrimaryAndStandby, folder: Path) -> None:
    """Cut replication for a second, then fail over."""
    with server_on(pair.url(), folder) as server, run_with_fault(server, folder) as at_work:
        pair.wire.black_hole()
        at_work.work(BEHIND_SECONDS)
        pair.primary.kill()
        pair.fail_over()
        at_work.work(BEHIND_SECONDS)


def test_changes_lost_by_an_asynchronous_standby_are_reported(tmp_path: Path) -> None:
    with closing(PrimaryAndStandby(is_synchronous=False)) as pair:
        # Only the first differences are shown: a writer's 404, or what the comparison misses.
        with pytest.raises(AssertionError, match=r"was not found| is lost") as raised:
            lose_a_second(pair, tmp_path)
        assert " 0 differences" not in str(raised.value)
