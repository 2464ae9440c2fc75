"""How many round trips to PostgreSQL a lone change takes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.operations.call import Call, OperationResult
from parlour.operations.caller import Caller
from parlour.operations.pipeline import Pipeline
from parlour.protocol.vault import KEY_BYTES, Vault
from parlour.resources import account_setup
from parlour.resources.table import operations
from parlour.store.postgres.engine import PostgresStore
from parlour.vocabulary.clock import SystemClock, SystemRandom
from parlour.vocabulary.origin import SILENT, Origin
from tests.support.postgres_server import shared
from tests.support.round_trips import RoundTrips

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.store.transaction import Transaction

pytestmark = pytest.mark.timeout(60)

ACCOUNT = "AC" + "0" * 32
UPDATE_MAX = 4
"""BEGIN, the reads, the writes, COMMIT."""


class CountedPipeline:
    """Runs operations of the API in this process, on a database behind a counting relay."""

    def __init__(self, relay: RoundTrips) -> None:
        random = SystemRandom()
        self.relay = relay
        self.store = PostgresStore(relay.url, SystemClock(), random, connections=2)
        self.vault = Vault(bytes(KEY_BYTES), random.token)
        self.pipeline = Pipeline(self.store, self.vault, on_login_revoked=lambda _: None)
        self.operations = {each.operation_id: each for each in operations()}

    async def run(
        self, operation_id: str, path: dict[str, str], origin: Origin = SILENT, **form: str
    ) -> Any:
        """The result of one operation."""
        call: Call[Any] = Call(
            operation=self.operations[operation_id],
            caller=Caller(ACCOUNT, ACCOUNT),
            path=path,
            resource="/",
            form={name: [text] for name, text in form.items()},
            origin=origin,
        )
        outcome = await self.pipeline.run(call, _no_render)
        return outcome.result

    async def count(self, work: Callable[[], Any]) -> int:
        """The round trips of some work, once what it needs was prepared."""
        for _ in range(3):
            await work()
        before = self.relay.count
        await work()
        return self.relay.count - before


def _no_render(_call: Call[Any], _outcome: OperationResult) -> bytes:
    return b""


async def _with_desk(scenario: Callable[[CountedPipeline], Any]) -> Any:
    async with RoundTrips(shared().make_database()) as relay:
        desk = CountedPipeline(relay)
        await desk.store.start()

        async def make(tx: Transaction) -> None:
            await account_setup.ensure_account(tx, desk.vault, ACCOUNT, "0" * 32)

        await desk.store.write(make)
        try:
            return await scenario(desk)
        finally:
            await desk.store.close()


@pytest.mark.parametrize("origin", [SILENT, Origin(fires=True)], ids=["silent", "with webhooks"])
@pytest.mark.parametrize("form", ["short", "service"])
def test_single_update_of_a_participant_takes_four_round_trips(form: str, origin: Origin) -> None:
    async def scenario(desk: CountedPipeline) -> int:
        conversation = await desk.run("CreateConversation", {})
        path = {"ConversationSid": conversation.sid}
        participant = await desk.run("CreateConversationParticipant", path, Identity="alice")
        path["Sid"] = participant.sid
        name = "UpdateConversationParticipant"
        if form == "service":
            name = "UpdateServiceConversationParticipant"
            path["ChatServiceSid"] = conversation.service_sid
        texts = (f'{{"seat": {number}}}' for number in range(100))

        async def update() -> None:
            text = next(texts)
            updated = await desk.run(name, path, origin, Attributes=text)
            assert updated.attributes == text

        return await desk.count(update)

    assert asyncio.run(_with_desk(scenario)) <= UPDATE_MAX


def test_single_updates_of_alternating_participants_share_a_plan() -> None:
    async def scenario(desk: CountedPipeline) -> int:
        paths = []
        for _ in range(2):
            conversation = await desk.run("CreateConversation", {})
            path = {"ConversationSid": conversation.sid}
            made = await desk.run("CreateConversationParticipant", path, Identity="alice")
            paths.append(path | {"Sid": made.sid})
        numbers = iter(range(100))

        async def update() -> None:
            path = paths[next(numbers) % 2]
            updated = await desk.run("UpdateConversationParticipant", path, Attributes="{}")
            assert updated.sid == path["Sid"]

        return await desk.count(update)

    assert asyncio.run(_with_desk(scenario)) <= UPDATE_MAX


def test_rejected_update_keeps_the_plan() -> None:
    async def scenario(desk: CountedPipeline) -> int:
        conversation = await desk.run("CreateConversation", {})
        path = {"ConversationSid": conversation.sid}
        made = await desk.run("CreateConversationParticipant", path, Identity="alice")
        path["Sid"] = made.sid
        name = "UpdateConversationParticipant"
        for _ in range(3):
            await desk.run(name, path, Attributes="{}")
        with pytest.raises(Exception, match="not found"):
            await desk.run(name, {**path, "ConversationSid": "CH" + "0" * 32}, Attributes="{}")
        before = desk.relay.count
        await desk.run(name, path, Attributes="{}")
        return desk.relay.count - before

    assert asyncio.run(_with_desk(scenario)) <= UPDATE_MAX
