"""The benchmark's webhook latency: percentiles, and the effect of an endpoint that hangs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench import goals, webhooks
from bench.processes import cores_apart, data_folder
from bench.webhooks import Round, WebhookResults

PLANTED_FAULTS = Path(__file__).parent.parent / "planted_faults"
# Far below the webhook timeout of five seconds.
NOT_WAITING_MS_MAX = 3000.0


def test_percentiles_are_measured_times() -> None:
    assert webhooks.percentile([3.0, 1.0, 2.0], 0.50) == 2.0
    assert webhooks.percentile([float(number) for number in range(1, 101)], 0.99) == 99.0
    assert webhooks.percentile([7.0], 0.99) == 7.0


def test_ratio_is_taken_within_a_round_and_late_webhooks_count() -> None:
    slow_machine = Round([10.0] * 100, [15.0] * 100)
    quick_machine = Round([1.0] * 100, [1.5] * 100)
    assert WebhookResults([slow_machine, quick_machine]).hanging_ratio == 1.5
    lost = WebhookResults([Round([1.0] * 100, [1.0] * 95 + [math.inf] * 5)])
    assert (lost.late, lost.hanging_ratio, lost.healthy_ms(0.99)) == (5, math.inf, 1.0)


@pytest.mark.gate
@pytest.mark.timeout(120)
def test_hanging_endpoint_delays_no_other() -> None:
    with data_folder() as folder:
        figures = webhooks.measure(folder, webhooks.QUICK)
    assert figures.late == 0
    assert max(figures.rounds[0].others) < NOT_WAITING_MS_MAX
    expected = round(webhooks.RATE * webhooks.QUICK.seconds)
    assert len(figures.rounds[0].healthy) == expected
    assert len(figures.rounds[0].others) == expected * 99 // 100


@pytest.mark.gate
@pytest.mark.timeout(180)
def test_endpoints_that_delay_each_other_are_reported() -> None:
    """Planted fault: with one request in flight in all, others wait for the hanging ones."""
    launcher = str(PLANTED_FAULTS / "launch_one_webhook_at_a_time.py")
    with data_folder() as folder:
        figures = webhooks.measure(folder, webhooks.QUICK, program=(launcher,))
    assert figures.late > 0
    assert figures.hanging_ratio > goals.NEXT_TO_HANGING_MAX


@pytest.mark.gate
@pytest.mark.timeout(300)
def test_webhook_latency_is_within_the_documented_bounds() -> None:
    server_cores, load_cores = cores_apart()
    with data_folder() as folder:
        figures = webhooks.measure(
            folder, webhooks.FULL, server_cores=server_cores, load_cores=load_cores
        )
    assert figures.late == 0
    assert figures.healthy_ms(0.50) <= goals.WEBHOOK_MS_P50_MAX
    assert figures.healthy_ms(0.99) <= goals.WEBHOOK_MS_P99_MAX
    assert figures.hanging_ratio <= goals.NEXT_TO_HANGING_MAX
