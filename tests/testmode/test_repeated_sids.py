"""SIDs of a sequence that starts again, while rows of its first run stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.testmode.rest_server import RestAccount, RestServer, in_server

if TYPE_CHECKING:
    from pathlib import Path


async def make_all(account: RestAccount) -> set[str]:
    """Create two conversations with what they contain; return the SIDs."""
    found = set()
    for _ in range(2):
        conversation = await account.make("/v1/Conversations", Timers__Inactive="PT10M")
        path = f"/v1/Conversations/{conversation['sid']}"
        message = await account.make(f"{path}/Messages", Body="hello")
        participant = await account.make(f"{path}/Participants", Identity=conversation["sid"])
        found |= {each["sid"] for each in (conversation, message, participant)}
    return found


@pytest.mark.parametrize("has_other_seed", [False, True])
def test_a_reset_of_another_account_with_a_seed_leaves_new_sids(
    tmp_path: Path, *, has_other_seed: bool
) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        (await first.post("/parlour/v1/Reset", Scope="server", RandomSeed="5")).expect(200)
        other = await server.new_account()
        before = await make_all(first)
        seed = "6" if has_other_seed else "5"
        (await other.post("/parlour/v1/Reset", RandomSeed=seed)).expect(200)
        assert before.isdisjoint(await make_all(first))

    in_server(tmp_path, scene)


def test_a_restart_in_a_filled_folder_leaves_new_sids(tmp_path: Path) -> None:
    runs: list[set[str]] = []

    async def scene(server: RestServer) -> None:
        runs.append(await make_all(server.first()))

    for _ in range(2):
        in_server(tmp_path, scene, random_seed=3)
    assert runs[0].isdisjoint(runs[1])
