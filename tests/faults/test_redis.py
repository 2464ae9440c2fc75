"""Redis killed, paused and black-holed: requests go on, and what happens is heard a little later.

One node leads the webhooks, another takes the requests: how soon a webhook comes shows how soon
the first one hears of the other's commits.
"""

from __future__ import annotations

import socket
import statistics
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_nodes import api_of, conversations, owners
from tests.oracle.receiver import Receiver
from tests.support.nodes import Nodes
from tests.support.redis import Redis
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.client import Api
    from tests.support.postgres import Postgres

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("nodes")]

LATE_SECONDS_MAX = 2.0
"""What a lost hint may cost: the readers look by themselves."""
MESSAGES = 30
PACE_SECONDS = 0.02


class Pair:
    """Two nodes, the first of which tells a receiver what is said on the second."""

    def __init__(self, nodes: Nodes, receiver: Receiver) -> None:
        first, second = nodes.servers
        self.receiver = receiver
        self.sids = conversations(first, receiver)
        assert len(set(owners(first).values())) == 1
        self.api: Api = api_of(second)

    def say(self) -> tuple[list[float], list[float]]:
        """Say some things: how long each request took, and each webhook after it."""
        sent: dict[str, float] = {}
        took = []
        for number in range(MESSAGES):
            time.sleep(PACE_SECONDS)
            begun = time.time()
            path = f"/Conversations/{self.sids[number % len(self.sids)]}/Messages"
            headers = {"X-Twilio-Webhook-Enabled": "true"}
            made = self.api.post(path, Body="hello", headers=headers).expect(201)
            took.append(time.time() - begun)
            sent[made["sid"]] = time.time()
        lines = eventually(
            lambda: {
                line.parameters["MessageSid"]: line.at
                for line in self.receiver.lines()
                if line.parameters["MessageSid"] in sent
            },
            lambda found: len(found) == len(sent),
            seconds=10,
        )
        return took, [lines[sid] - at for sid, at in sent.items()]


@pytest.fixture
def redis() -> Iterator[Redis]:
    """A Redis of its own, which a test may break."""
    with Redis() as running:
        yield running


@pytest.fixture
def pair(postgres: Postgres, redis: Redis, tmp_path: Path) -> Iterator[Pair]:
    """Two nodes with that Redis."""
    env = {"PARLOUR_REDIS": redis.url}
    with Receiver(tmp_path) as receiver, Nodes(postgres, tmp_path, 2, env) as nodes:
        pair = Pair(nodes, receiver)
        pair.say()  # Warm.
        yield pair
        pair.api.close()


def test_a_hint_is_quicker_than_the_next_look(pair: Pair) -> None:
    _, late = pair.say()
    # Without hints it would be half of the 250 ms between two looks.
    assert statistics.median(late) < 0.1


class BlackHole:
    """Listens where Redis was, takes connections, and never reads or writes anything."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)

    def close(self) -> None:
        """Refuse from now on."""
        self._listener.close()


@pytest.mark.parametrize("fault", ["killed", "paused", "black-holed"])
def test_without_redis_requests_go_on_and_nothing_is_lost(
    pair: Pair, redis: Redis, fault: str
) -> None:
    before, _ = pair.say()
    undo = break_it(redis, fault)
    try:
        took, late = pair.say()
        again, later = pair.say()
    finally:
        undo()
    assert max(late + later) < LATE_SECONDS_MAX
    # Noise is not a fault: but a request that waits for Redis waits for its whole time limit.
    assert max(took + again) < max(2 * max(before), 0.5)
    time.sleep(LATE_SECONDS_MAX)
    _, healed = pair.say()
    assert statistics.median(healed) < 0.1


def break_it(redis: Redis, fault: str) -> Callable[[], None]:
    """Do it; what undoes it."""
    if fault == "paused":
        redis.pause()
        return redis.resume
    redis.kill()
    hole = BlackHole(redis.port) if fault == "black-holed" else None

    def undo() -> None:
        if hole is not None:
            hole.close()
        redis.start()

    return undo
