"""A settlement proves that nothing is sent after it: random changes, receivers with delays."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from parlour.delivery.webhook_sink import WebhookSink
from parlour.resources import account_setup
from parlour.testmode.settlement import due_rows
from parlour.testmode.settlement.settler import Settler
from tests.events.in_process_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    WITH_HEADER,
    InProcessServer,
)
from tests.events.webhook_backend import OK, WebhookBackend
from tests.support.in_process_api import InProcessApi
from tests.testmode.test_settlement import mode_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.events.webhook_backend import WebhookRequest

TRIES, TRIES_IN_GATE, SHARDS = 40, 1000, 10
OWN, PHONE = "+15551230000", "+15550001111"
OTHER_SID, OTHER_TOKEN = "AC" + "9" * 32, "another auth token"
TOTALS = """
SELECT (SELECT COUNT(*) FROM webhook_attempt WHERE account_sid = $1),
       (SELECT COUNT(*) FROM event WHERE account_sid = $1),
       (SELECT COUNT(*) FROM receipt WHERE account_sid = $1 AND status = 'delivered'),
       (SELECT COUNT(*) FROM message WHERE account_sid = $1)
"""


class LateChanges(Exception):  # noqa: N818 - a result that the tests look for.
    """Something happened after a settlement."""


class RandomChanges:
    """A server, whose account changes at random."""

    def __init__(self, server: InProcessServer, backend: WebhookBackend, draw: Random) -> None:
        self._server = server
        self._backend = backend
        self._draw = draw
        self._api = InProcessApi(server.app.server, ACCOUNT_SID, AUTH_TOKEN)
        self._sid = ""
        self._kinds: tuple[Callable[[], Awaitable[Any]], ...] = (
            self._create_conversation,
            self._send_message,
            self._send_silent_message,
            self._receive_text,
            self._create_with_participants,
        )

    async def begin(self) -> None:
        """Create the conversation of a phone, and enable webhooks with random delays."""

        async def respond(_request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(self._draw.choice((0, 0, 0.001, 0.003)))
            writer.write(OK)

        self._backend.responders |= {"/post": respond, "/pre": respond}
        await self._server.enable_webhooks(self._backend)
        made = await self._server.do("CreateConversation")
        self._sid = made.sid
        binding = {"MessagingBinding.Address": PHONE, "MessagingBinding.ProxyAddress": OWN}
        await self._server.do("CreateConversationParticipant", binding, ConversationSid=made.sid)

    async def change_and_settle(self) -> None:
        """Make one change, and compare all that is seen at its settlement and later."""
        await self._draw.choice(self._kinds)()
        result = await mode_of(self._server).settler.settle(30_000, ACCOUNT_SID)
        assert result.settled, result.waiting_for
        settled = await self._totals()
        await asyncio.sleep(self._draw.choice((0, 0, 0.004)))
        later = await self._totals()
        if settled != later:
            raise LateChanges(settled, later)

    async def _totals(self) -> list[Any]:
        rows = await self._server.store.read(lambda tx: tx.one(TOTALS, ACCOUNT_SID))
        return [rows, len(self._backend.requests)]

    async def _create_conversation(self) -> None:
        before = len(self._backend.requests)
        await self._server.do("CreateConversation", origin=WITH_HEADER)
        result = await mode_of(self._server).settler.settle(30_000, ACCOUNT_SID)
        assert result.settled
        # Before and after the action.
        if len(self._backend.requests) != before + 2:
            raise LateChanges(self._backend.requests[before:])

    async def _send_message(self) -> None:
        await self._server.send_message(self._sid, "hello", WITH_HEADER)

    async def _send_silent_message(self) -> None:
        await self._server.send_message(self._sid, "silent")

    async def _receive_text(self) -> None:
        form = {"To": OWN, "Body": "hi"}
        path = f"/parlour/v1/VirtualPhones/{PHONE}/Messages"
        (await self._api.post(path, form)).expect(201)

    async def _create_with_participants(self) -> None:
        form: Any = {"Participant": ['{"identity": "alice"}', '{"identity": "bob"}']}
        await self._server.do("CreateConversationWithParticipants", form, origin=WITH_HEADER)


async def change_other_account(server: InProcessServer, tries: int) -> None:
    """Let another account of the server change all the time."""
    await server.store.write(
        lambda tx: account_setup.create_account(
            tx, server.app.vault, sid=OTHER_SID, auth_token=OTHER_TOKEN, friendly_name="Other"
        )
    )
    api = InProcessApi(server.app.server, OTHER_SID, OTHER_TOKEN)
    for _ in range(tries):
        (await api.post("/v1/Conversations")).expect(201)


async def run_tries(folder: Path, tries: int, *, has_other: bool = False, seed: int = 0) -> None:
    """Make changes and settle after each."""
    async with WebhookBackend() as backend, InProcessServer(folder, test=True) as server:
        changes = RandomChanges(server, backend, Random(seed))
        await changes.begin()
        other = asyncio.create_task(change_other_account(server, tries if has_other else 0))
        for _ in range(tries):
            await changes.change_and_settle()
        await other


@pytest.mark.parametrize("has_other", [False, True])
def test_nothing_happens_after_a_settlement(tmp_path: Path, has_other: bool) -> None:
    asyncio.run(run_tries(tmp_path, TRIES, has_other=has_other))


@pytest.mark.gate
@pytest.mark.timeout(600)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_nothing_happens_after_ten_thousand_settlements(tmp_path: Path, shard: int) -> None:
    asyncio.run(run_tries(tmp_path, TRIES_IN_GATE, has_other=True, seed=shard))


def _ignore_webhooks(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(*_: Any) -> list[Any]:
        return []

    monkeypatch.setattr(due_rows, "next_rows", none)
    monkeypatch.setattr(WebhookSink, "open_work", lambda _self: ())


def _check_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(*_: Any) -> list[Any]:
        return []

    monkeypatch.setattr(Settler, "open_work", none)


@pytest.mark.parametrize("plant", [_ignore_webhooks, _check_nothing])
def test_planted_faults_of_settlements_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    with pytest.raises(LateChanges):
        asyncio.run(run_tries(tmp_path, 2000))
