"""A change that is in commit: the clock does not go back before it, and nothing is settled."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.testmode.rest_server import RestResponse, RestServer, in_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class HeldCommit:
    """A conversation whose commit ends when it is released."""

    def __init__(self, server: RestServer) -> None:
        self._account = server.first()
        self._store = server.test_mode.handles.store
        self._is_released = threading.Event()
        self._commit = self._store._commit
        self._store._commit = self._commit_later

    def _is_in_commit(self) -> bool:
        return any(each.account_sid == self._account.login for each in self._store._in_commit)

    def _commit_later(self) -> None:
        if self._is_in_commit():
            self._is_released.wait()
        self._commit()

    async def begin(self) -> asyncio.Task[RestResponse]:
        """Create the conversation; return when its commit has started."""
        making = asyncio.create_task(self._account.post("/v1/Conversations", UniqueName="x"))
        while not self._is_in_commit():  # noqa: ASYNC110 - the engine has no event.
            await asyncio.sleep(0)
        return making

    def release(self) -> None:
        """Let the commit end."""
        self._is_released.set()


@asynccontextmanager
async def held_commit(server: RestServer) -> AsyncIterator[HeldCommit]:
    """Release the commit at the end in any case: the server waits for it."""
    held = HeldCommit(server)
    try:
        yield held
    finally:
        held.release()


def test_the_clock_does_not_go_back_before_a_conversation_in_commit(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        first, store = server.first(), server.test_mode.handles.store
        async with held_commit(server) as held:
            making = await held.begin()
            setting = asyncio.create_task(
                first.post("/parlour/v1/Clock", Mode="frozen", Now="2020-01-01")
            )
            # The check is done, or waits for the commit.
            while not setting.done() and store.unfinished_actions() < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            held.release()

            assert (await setting).status == 400
            assert not (await making).expect(201)["date_created"].startswith("2020")

    in_server(tmp_path, scene)


@pytest.mark.parametrize("is_of_account", [True, False])
def test_nothing_is_settled_while_a_change_is_in_commit(
    tmp_path: Path, *, is_of_account: bool
) -> None:
    async def scene(server: RestServer) -> None:
        settler = server.test_mode.settler
        account_sid = server.first().login if is_of_account else None
        async with held_commit(server) as held:
            making = await held.begin()
            assert not (await settler.settle(50, account_sid)).settled
            held.release()

            assert (await settler.settle(10_000, account_sid)).settled
            (await making).expect(201)

    in_server(tmp_path, scene)
