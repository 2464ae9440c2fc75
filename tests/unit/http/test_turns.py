"""In which order waiting requests begin."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import uvloop

from parlour.http.turns import Turns
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Sequence

FLOOD = 20 * limits.STARTED_PER_TURN_MAX


class Recorder:
    """A connection that records when its request begins."""

    def __init__(self, name: str, begun: list[str]) -> None:
        self.name = name
        self._begun = begun

    def launch(self, request: Any) -> bool:
        del request
        self._begun.append(self.name)
        return True


async def order_of(arrivals: Sequence[tuple[str, str, str]]) -> list[str]:
    """Names of requests (account, user, name) in the order in which they begin."""
    begun: list[str] = []
    request: Any = SimpleNamespace(body=b"")
    turns = Turns(asyncio.get_running_loop())
    for account_sid, identity, name in arrivals:
        connection: Any = Recorder(name, begun)
        turns.start(connection, request, account_sid, identity)
    for _ in range(4 * len(arrivals)):  # A turn of the requests is some turns of the loop.
        await asyncio.sleep(0)
    return begun


def test_requests_of_users_begin_round_robin_by_account_and_user() -> None:
    flood = [("A", "alice", "flood")] * FLOOD
    own = [("A", "", f"own {number}") for number in range(3)]
    bob = [("A", "bob", "bob")]
    other = [("B", "", "other")]

    begun = uvloop.run(order_of([*flood, *own, *bob, *other]))

    # What waits follows the first turn; alice has a place in each round before the others.
    waiting = begun[limits.STARTED_PER_TURN_MAX :]
    assert waiting.index("other") <= 1
    assert waiting.index("own 0") <= 3
    assert waiting.index("bob") <= 4
    assert waiting.index("own 2") <= 9
    assert [each for each in begun if each.startswith("own")] == ["own 0", "own 1", "own 2"]
    assert begun.count("flood") == FLOOD
