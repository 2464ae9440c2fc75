"""The delay before a lost link is opened again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.smpp.keeper import LinkTarget, reconnect_delay
from parlour.channels.smpp.pdus import BIND_RECEIVER, BIND_TRANSCEIVER

FRACTIONS = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, 10**9), FRACTIONS)
def test_the_delay_doubles_up_to_a_minute_and_half_of_it_is_jitter(
    failures: int, fraction: float
) -> None:
    bound = min(2 ** min(failures, 10), 60)
    delay = reconnect_delay(failures, fraction)
    assert bound / 2 <= delay <= bound  # A fraction next to 1 is rounded up.
    assert (reconnect_delay(failures, 0.75) - reconnect_delay(failures, 0.25)) == bound / 4


def test_links_are_named_by_host_and_session() -> None:
    assert LinkTarget("smsc", 2775, BIND_TRANSCEIVER, 1).name == "smsc:2775/transceiver/1"
    assert LinkTarget("::1", 2775, BIND_RECEIVER, 2).name == "[::1]:2775/receiver/2"
