"""Readers of streams that are cut at random: each gets every event, in order and once."""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.events.in_process_server import ScenarioRunner, scenario_runner
from tests.resources.test_event_streams import stream
from tests.support.in_process_api import listening

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer
    from tests.events.webhook_backend import WebhookBackend

READERS = 4


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server."""
    return scenario_runner(tmp_path / "data")


async def read_in_pieces(
    instance: InProcessServer, port: int, chance: random.Random, count: int
) -> list[str]:
    """Read messages over many streams, each cut after a few events; return their bodies."""
    seen: list[str] = []
    resumed = {"last_event_id": ""}
    while len(seen) < count:
        query = "?After=start&EventType=onMessageAdded"
        async with stream(instance, port, query, **resumed) as client:
            for _ in range(chance.randint(1, 40)):
                if len(seen) == count or (found := await client.next()) is None:
                    break
                resumed = {"last_event_id": found.cursor}
                if found.event is not None:
                    seen.append(found.event["parameters"]["Body"])
    return seen


@pytest.mark.parametrize("count", [200, pytest.param(5_000, marks=pytest.mark.gate)])
def test_readers_that_are_cut_at_random_get_every_event_once(
    run_scenario: ScenarioRunner, count: int
) -> None:
    seed = int(os.environ.get("PARLOUR_SEED", "1"))

    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        expected = [str(number) for number in range(count)]

        async def write() -> None:
            for body in expected:
                await instance.send_message(sid, body)

        async with listening(instance.app) as port:
            readers = [
                read_in_pieces(instance, port, random.Random(seed + number), count)
                for number in range(READERS)
            ]
            *found, _ = await asyncio.gather(*readers, write())
        assert found == [expected] * READERS

    run_scenario(scenario)
