"""Requests without credentials, or rejected ones, must cost less than real work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import request_in_turn
from tests.attacks.harness import healthz, messages, others_unaffected, request

if TYPE_CHECKING:
    from tests.support.server import Server


@pytest.mark.kind("refusals", by="anybody")
def test_endless_metrics_requests_affect_no_other(fresh_server: Server, control: Server) -> None:
    with others_unaffected(fresh_server, control, healthz, messages):
        statuses = request_in_turn(
            fresh_server, [request("GET", "/metrics")], seconds=1.0, connections=20
        )
    assert statuses.keys() == {"200"}
    assert statuses["200"] >= 40
