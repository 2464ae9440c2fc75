"""Two nodes and an SMSC: one session at a time, and messages continue after a change of owner."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary.crash_points import INBOUND_STORED
from tests.carriers.smpp_peers import OUR_NUMBER, PASSWORD, PHONE, SECONDS_MAX, NodeSmsc
from tests.support.client import Api
from tests.support.cluster import Cluster
from tests.support.polling import eventually
from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.support.postgres_server import Postgres
    from tests.support.server import Server

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("nodes")]

RECEIPT_ESM_CLASS = 4
OTHER_PHONE = "+15558675311"
PACE_SECONDS = 7
"""Longer than a node needs to take over a lease."""
EXPIRY = "SELECT expires_ms FROM lease WHERE name = 'carriers'"
INBOX = "SELECT COUNT(*), MIN(state) FROM inbox"
END_CLAIMS = "UPDATE inbox SET due_ms = 1 WHERE due_ms IS NOT NULL"


class SmscNodes:
    """Two nodes with one SMSC, and a conversation with a phone."""

    def __init__(self, nodes: Cluster, smsc: NodeSmsc) -> None:
        self.first, self.second = nodes.servers
        self.smsc = smsc
        self._path = ""

    @classmethod
    @asynccontextmanager
    async def running(
        cls, postgres: Postgres, folder: Path, *, crash_at: str = "", options: str = ""
    ) -> AsyncIterator[SmscNodes]:
        """Start the first node, which opens the session, and then the second one.

        ``crash_at`` is a crash point of the first; ``options`` are lines for the carriers file.
        """
        path = folder / "carriers.toml"
        nodes = Cluster(postgres, folder, 2, {"PARLOUR_CARRIERS": str(path)})
        first = nodes.servers[0]
        if crash_at:
            first._env["PARLOUR_CRASH_AT"] = crash_at
        async with NodeSmsc.running() as smsc:
            path.write_text(
                '[carriers.operator]\ntype = "smpp"\nsystem_id = "parlour"\n'
                f'password = "{PASSWORD}"\n'
                f'hosts = ["127.0.0.1:{smsc.port}"]\n{options}\n'
                '[[routes]]\nprefix = "+1"\ncarrier = "operator"\n'
                f'[[numbers]]\naddresses = ["{OUR_NUMBER}"]\naccount = "{first.account_sid}"\n'
            )
            try:
                await asyncio.to_thread(nodes.__enter__)
                made = cls(nodes, smsc)
                await made.until_bound()
                await made.create_conversation()
                yield made
            finally:
                await asyncio.to_thread(nodes.__exit__)

    async def until_bound(self) -> None:
        """Wait for the next session; it is the only one."""
        assert (await self.smsc.event("bind"))["sessions"] == 1

    async def until_renewed(self) -> None:
        """Wait until the owner has renewed its lease; no further session was opened."""

        def expiry() -> int:
            with closing(connect(self.second)) as connection:
                return int(connection.execute(EXPIRY).fetchone()[0])

        before = await asyncio.to_thread(expiry)
        await asyncio.to_thread(eventually, expiry, lambda now: now > before)
        assert await self.smsc.unread("bind") == 0

    async def create_conversation(self) -> None:
        """Create the conversation through the second node."""
        self._path = f"/Conversations/{(await self.post('/Conversations'))['sid']}"
        await self.add_phone(PHONE)

    async def add_phone(self, number: str) -> None:
        """Add a phone to the conversation."""
        binding = {"MessagingBinding.Address": number, "MessagingBinding.ProxyAddress": OUR_NUMBER}
        await self.post(f"{self._path}/Participants", binding)

    async def post(
        self, path: str, form: dict[str, str] | None = None, node: Server | None = None
    ) -> Any:
        """Return the created resource; ``node`` is the second one by default."""
        server = node or self.second
        with closing(Api(server.base_url, self.first.account_sid, self.first.auth_token)) as api:
            return (await asyncio.to_thread(api.post, path, form or {})).expect(201)

    async def send(self, body: str, node: Server | None = None) -> str:
        """Post a message; return its SID."""
        message_sid: str = (await self.post(f"{self._path}/Messages", {"Body": body}, node))["sid"]
        return message_sid

    async def submitted(self, text: str) -> str:
        """Return the SMSC's identifier of the next submission, which has this text."""
        submit = await self.smsc.event("submit")
        assert submit["text"] == text
        return str(submit["id"])

    async def until(
        self, node: Server, path: str, accept: Callable[[dict[str, Any]], object]
    ) -> dict[str, Any]:
        """Poll a list below the conversation on a node."""
        with closing(Api(node.base_url, self.first.account_sid, self.first.auth_token)) as api:
            return await asyncio.to_thread(
                eventually,
                lambda: api.get(self._path + path).expect(200),
                accept,
            )

    async def until_status(self, node: Server, message_sid: str, status: str) -> None:
        """Wait until the only receipt of a message has a status."""
        path = f"/Messages/{message_sid}/Receipts"
        await self.until(
            node,
            path,
            lambda page: [each["status"] for each in page["delivery_receipts"]] == [status],
        )

    async def deliver(self, tag: str, text: str, **pdu: Any) -> None:
        """Deliver a text or a receipt; it is acknowledged."""
        await self.smsc.deliver(tag, text, **pdu)
        response = await self.smsc.event("delivered")
        assert (response["tag"], response["status"]) == (tag, 0)

    async def deliver_receipt(self, submission_id: str) -> None:
        """Deliver the receipt of a submission."""
        text = (
            f"id:{submission_id} sub:001 dlvrd:001 submit date:2612011200"
            " done date:2612011201 stat:DELIVRD err:000 text:"
        )
        await self.deliver(submission_id, text, esm_class=RECEIPT_ESM_CLASS)

    def end_claims(self) -> None:
        """Set the state after INBOX_CLAIM_MS: any node may process the only inbound message."""
        with closing(connect(self.second)) as connection:
            assert connection.execute(INBOX).fetchone() == (1, "pending")
            connection.execute(END_CLAIMS)

    async def texts(self, node: Server) -> list[str]:
        """Return the texts of the conversation."""
        page = await self.until(node, "/Messages", bool)
        return [each["body"] for each in page["messages"]]


async def change_owner_twice(nodes: SmscNodes) -> None:
    first, second, smsc = nodes.first, nodes.second, nodes.smsc
    sent_by_first = await nodes.send("one")
    submission_of_first = await nodes.submitted("one")
    await nodes.until_status(second, sent_by_first, "sent")
    await nodes.until_renewed()

    # SIGKILL between the commit of an inbound message and its acknowledgement.
    await smsc.deliver("lost", "yes")
    assert first.process is not None
    assert await asyncio.to_thread(first.process.wait, SECONDS_MAX) == -9
    first.kill()
    queued = await nodes.send("two")
    await nodes.until_bound()
    sent_by_second = await nodes.submitted("two")
    await nodes.until_status(second, queued, "sent")
    await nodes.deliver("redelivered", "yes")
    await nodes.deliver_receipt(submission_of_first)
    await nodes.until_status(second, sent_by_first, "delivered")
    await asyncio.to_thread(nodes.end_claims)

    del first._env["PARLOUR_CRASH_AT"]
    await asyncio.to_thread(first.start)
    await nodes.until(second, "/Messages", lambda page: len(page["messages"]) == 3)
    await nodes.until_renewed()
    assert await asyncio.to_thread(second.stop) == 0
    last = await nodes.send("three", first)
    await nodes.until_bound()
    await nodes.submitted("three")
    await nodes.until_status(first, last, "sent")
    await nodes.deliver_receipt(sent_by_second)
    await nodes.until_status(first, queued, "delivered")
    await nodes.deliver("another", "yes")
    await nodes.until(first, "/Messages", lambda page: len(page["messages"]) == 5)
    assert sorted(await nodes.texts(first)) == ["one", "three", "two", "yes", "yes"]
    assert await smsc.unread("submit") == await smsc.unread("bind") == 0


def test_session_of_a_killed_and_of_a_stopped_owner_is_continued_by_the_other_node(
    postgres: Postgres, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with SmscNodes.running(postgres, tmp_path, crash_at=INBOUND_STORED) as nodes:
            await change_owner_twice(nodes)

    asyncio.run(scenario())


@pytest.mark.gate
def test_paused_owner_does_not_send_what_waited_for_its_turn_when_it_resumes(
    postgres: Postgres, tmp_path: Path
) -> None:
    async def scenario() -> None:
        pace = f"messages_per_second = {1 / PACE_SECONDS}"
        async with SmscNodes.running(postgres, tmp_path, options=pace) as nodes:
            smsc, paused = nodes.smsc, nodes.first.pid
            await nodes.add_phone(OTHER_PHONE)
            await nodes.send("one")
            await nodes.submitted("one")
            began = asyncio.get_running_loop().time()
            os.kill(paused, signal.SIGSTOP)
            try:
                # Two sessions now: a paused process closes none.
                await smsc.event("bind")
                await nodes.submitted("one")
                # The turn of the second submission has come on the paused node.
                await asyncio.sleep(began + PACE_SECONDS - asyncio.get_running_loop().time())
            finally:
                os.kill(paused, signal.SIGCONT)
            await smsc.event("unbind")
            assert await smsc.unread("submit") == 0

    asyncio.run(scenario())
