"""The whole server with an SMPP carrier: a conversation with a phone, and crashes in between."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary.crash_points import INBOUND_STORED, SUBMISSION_SENT
from tests.carriers.smpp_peers import OUR_NUMBER, PASSWORD, PHONE, SECONDS_MAX, NodeSmsc
from tests.support.client import Api
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


class PhoneConversation:
    """A server, its SMSC, and a conversation with one phone."""

    def __init__(self, server: Server, smsc: NodeSmsc) -> None:
        self.server = server
        self.smsc = smsc
        self._api = Api(server.base_url, server.account_sid, server.auth_token)
        self._path = ""

    @classmethod
    @asynccontextmanager
    async def running(cls, folder: Path) -> AsyncIterator[PhoneConversation]:
        async with NodeSmsc.running() as smsc:
            path = folder / "carriers.toml"
            server = Server(env={"SMSC_PASSWORD": PASSWORD}, args=("--carriers", str(path)))
            path.write_text(
                '[carriers.operator]\ntype = "smpp"\nsystem_id = "parlour"\n'
                'password = { env = "SMSC_PASSWORD" }\n'
                f'hosts = ["127.0.0.1:{smsc.port}"]\n'
                '[[routes]]\nprefix = "+1"\ncarrier = "operator"\n'
                f'[[numbers]]\naddresses = ["{OUR_NUMBER}"]\naccount = "{server.account_sid}"\n'
            )
            try:
                await asyncio.to_thread(server.start)
                await smsc.event("bind")
                yield cls(server, smsc)
            finally:
                await asyncio.to_thread(server.close)

    async def post(self, path: str, **form: str) -> Any:
        response = await asyncio.to_thread(self._api.post, path, form)
        return response.expect(201)

    async def open(self) -> None:
        sid = (await self.post("/v1/Conversations"))["sid"]
        self._path = f"/v1/Conversations/{sid}"
        await self.post(
            f"{self._path}/Participants",
            **{"MessagingBinding.Address": PHONE, "MessagingBinding.ProxyAddress": OUR_NUMBER},
        )

    async def send(self, body: str) -> str:
        message_sid: str = (await self.post(f"{self._path}/Messages", Body=body))["sid"]
        return message_sid

    async def until(self, path: str, accept: Callable[[Any], bool]) -> Any:
        """Poll a list below the conversation."""
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                page = (await asyncio.to_thread(self._api.get, self._path + path)).expect(200)
                if accept(page):
                    return page
                await asyncio.sleep(0.05)

    async def crash_at(self, point: str) -> None:
        self.server._env["PARLOUR_CRASH_AT"] = point
        await asyncio.to_thread(self.server.restart)
        await self.smsc.event("bind")

    async def start_again(self) -> None:
        """Wait for the crash, and start without one."""
        process = self.server.process
        assert process is not None
        assert await asyncio.to_thread(process.wait, SECONDS_MAX) == -9
        del self.server._env["PARLOUR_CRASH_AT"]
        self.server.kill()
        await asyncio.to_thread(self.server.start)
        await self.smsc.event("bind")


def test_a_conversation_reaches_a_phone_and_gets_its_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with PhoneConversation.running(tmp_path) as phone:
            await phone.open()
            await phone.smsc.rule(PHONE, receipts=[{"stat": "DELIVRD"}])
            text = "Привет 😀 " * 10
            message_sid = await phone.send(text)
            submits = await phone.smsc.events("submit", 2)
            assert "".join(each["text"] for each in submits) == text
            page = await phone.until(
                f"/Messages/{message_sid}/Receipts",
                lambda page: (
                    [each["status"] for each in page["delivery_receipts"]] == ["delivered"]
                ),
            )
            assert page["delivery_receipts"][0]["error_code"] == 0
            await phone.smsc.deliver("answer", "hello from the phone")
            assert (await phone.smsc.event("delivered"))["status"] == 0
            page = await phone.until("/Messages", lambda page: len(page["messages"]) == 2)
            answer = page["messages"][1]
            assert (answer["author"], answer["body"]) == (PHONE, "hello from the phone")
            await phone.smsc.deliver("other", "hello", destination_addr="15550009999")
            assert (await phone.smsc.event("delivered"))["status"] == 0x65

    asyncio.run(scenario())


@pytest.mark.slow
def test_a_crash_before_the_acknowledgement_of_an_inbound_message_makes_no_second_one(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with PhoneConversation.running(tmp_path) as phone:
            await phone.open()
            await phone.crash_at(INBOUND_STORED)
            await phone.smsc.deliver("lost", "only once")
            await phone.start_again()
            await phone.smsc.deliver("again", "only once")
            assert (await phone.smsc.event("delivered"))["tag"] == "again"
            await phone.smsc.deliver("next", "another one")
            assert (await phone.smsc.event("delivered"))["tag"] == "next"
            page = await phone.until("/Messages", lambda page: len(page["messages"]) >= 2)
            assert [each["body"] for each in page["messages"]] == ["only once", "another one"]

    asyncio.run(scenario())


@pytest.mark.slow
def test_a_crash_after_a_submission_repeats_it_with_the_same_number_in_its_parts(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with PhoneConversation.running(tmp_path) as phone:
            await phone.open()
            await phone.smsc.rule(PHONE, receipts=[{"stat": "DELIVRD"}])
            await phone.crash_at(SUBMISSION_SENT)
            message_sid = await phone.send("A" * 161)
            first = [each["udh"] for each in await phone.smsc.events("submit", 2)]
            await phone.start_again()
            assert [each["udh"] for each in await phone.smsc.events("submit", 2)] == first
            await phone.until(
                f"/Messages/{message_sid}/Receipts",
                lambda page: (
                    [each["status"] for each in page["delivery_receipts"]] == ["delivered"]
                ),
            )

    asyncio.run(scenario())
