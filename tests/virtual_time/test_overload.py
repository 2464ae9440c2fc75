"""A model of the server under overload: the limit of concurrent requests converges.

The assertions are about the effect of the controller, regardless of a request's cost; the real
server is measured by ``make bench-overload``.
"""

from __future__ import annotations

import pytest

from parlour.vocabulary import limits
from tests.virtual_time.event_loop_model import Costs, LoopModel

# A fast machine, a slow one, and requests that read a page.
QUICK, SLOW, PAGES = Costs(0.075, 0.015), Costs(0.2, 0.03), Costs(0.6, 0.05)
SECONDS, MEASURED_MS = 2.5, (1500.0, 2500.0)


@pytest.mark.parametrize("costs", [QUICK, SLOW, PAGES], ids=["quick", "slow", "pages"])
@pytest.mark.parametrize("factor", [0.5, 0.9, 1.5, 2.5, 10.0])
def test_goodput_and_latency_at_a_multiple_of_the_capacity(costs: Costs, factor: float) -> None:
    capacity = 1000 / costs.request_ms
    model = LoopModel(costs)

    seen = model.run(SECONDS, lambda _: capacity * factor)

    goodput = seen.goodput(*MEASURED_MS) / capacity
    if factor < 1:
        assert goodput == pytest.approx(factor, rel=0.1)
        assert not seen.refused
        assert seen.p99(seen.accepted) < 60
        return
    assert goodput >= (0.68 if factor < 10 else 0.5)
    # Ten times too many rejections of 50 us delay a request that takes 600 us.
    assert seen.p99(seen.accepted, MEASURED_MS[0]) <= (150 if factor < 10 else 200)
    # Where a thousand rejections take 50 ms, few are sooner than a few times that.
    assert seen.p99(seen.refused, MEASURED_MS[0]) <= 60 + 3000 * costs.refusal_ms


def test_fixed_limit_lets_slow_requests_queue_for_long() -> None:
    """The effect of a fixed limit of 500: the reason for an adaptive one."""
    capacity = 1000 / PAGES.request_ms
    fixed, adapted = LoopModel(PAGES, limit=500), LoopModel(PAGES)
    for model in (fixed, adapted):
        model.run(SECONDS, lambda _: capacity * 2.5)

    assert fixed.seen.p99(fixed.seen.accepted, MEASURED_MS[0]) > 300
    assert adapted.seen.p99(adapted.seen.accepted, MEASURED_MS[0]) < 150


def test_overload_that_ends_leaves_nothing_behind() -> None:
    capacity = 1000 / SLOW.request_ms
    model = LoopModel(SLOW)

    seen = model.run(2.0, lambda at: capacity * (10 if at < 1 else 0.8))

    # Half a second later no request is rejected any more.
    assert max(at for at, _ in seen.refused) < 1500
    assert seen.p99(seen.accepted, 1500) < 40


def test_queued_requests_take_no_slot_and_delay_no_others() -> None:
    costs = Costs(0.2, 0.03, outside_ms=1000.0, outside_share=0.1)
    capacity = 1000 / costs.request_ms
    model = LoopModel(costs, connections=2000)

    seen = model.run(2.0, lambda _: capacity * 0.7)

    assert not seen.refused
    assert min(model.limits) >= 0.9 * limits.WORK_MS_BURST / costs.request_ms
    assert seen.p99(seen.accepted) >= 1000
