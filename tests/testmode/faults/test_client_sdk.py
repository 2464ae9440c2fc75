"""Faults of sockets and commands, as the unmodified client SDK sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.sdk_runner import run_of_topics

if TYPE_CHECKING:
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("sdk-order-node")

SECONDS_MAX = 90
SCENES = 10


def test_the_client_sdk_reports_each_fault_and_recovers(server: Server) -> None:
    run = run_of_topics(server, "3.0.1", ["faults"], SECONDS_MAX)

    assert run.failed("faults") == []
    assert len(run.of("scene")) == SCENES
