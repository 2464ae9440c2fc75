"""Timers on a real server with an accelerated clock, killed and restarted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client import Api
from tests.support.machine_pressure import Stopwatch
from tests.support.polling import eventually
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 240


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Server]:
    program = (str(Path(__file__).with_name("launch_with_fast_clock.py")),)
    settings = {"CLOCK_START_MS": str(int(time.time() * 1000)), "CLOCK_RATE": str(RATE)}
    with Server(tmp_path / "data", env=settings, program=program) as running:
        yield running


def becomes(api: Api, made: dict[str, Any], state: str, seconds: float) -> None:
    """Wait until a conversation is in a state; fail after the timeout."""
    eventually(
        lambda: api.get(f"/Conversations/{made['sid']}").expect(200)["state"],
        lambda found: found == state,
        seconds=seconds,
    )


@pytest.mark.slow
def test_timers_make_a_conversation_inactive_and_closed(fast: Server) -> None:
    api = Api(fast.base_url, fast.account_sid, fast.auth_token)
    form = {"Timers.Inactive": "PT1M", "Timers.Closed": "PT10M"}
    watch = Stopwatch()
    made = api.post("/Conversations", form).expect(201)
    # A minute is a quarter of a second here; two seconds are allowed for the scheduler.
    becomes(api, made, "inactive", 2.5)
    assert watch.seconds > 0.24
    becomes(api, made, "closed", 4.5)
    assert watch.seconds > 2.4
    closed = api.get(f"/Conversations/{made['sid']}").expect(200)
    assert closed["timers"] == {}
    api.close()


@pytest.mark.slow
def test_timers_survive_a_kill(fast: Server) -> None:
    api = Api(fast.base_url, fast.account_sid, fast.auth_token)
    made = api.post("/Conversations", {"Timers.Inactive": "PT2M"}).expect(201)
    fast.kill()
    fast.start()
    becomes(api, made, "inactive", 4)
    api.close()
