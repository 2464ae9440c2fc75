"""The whole server with an SMPP carrier: a conversation with a phone, and crashes in between."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary.crash_points import INBOUND_STORED, SUBMISSION_SENT
from tests.carriers.smpp_peers import OUR_NUMBER, PASSWORD, PHONE, SECONDS_MAX, NodeSmsc
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.postgres_server import shared
from tests.support.server import Server
from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


UNACKNOWLEDGED = "SELECT COUNT(*) FROM inbox_unacknowledged"


class PhoneConversation:
    """A server, its SMSC, and a conversation with one phone."""

    def __init__(self, server: Server, smsc: NodeSmsc) -> None:
        self.server = server
        self.smsc = smsc
        self._api = Api(server.base_url, server.account_sid, server.auth_token)
        self._path = ""

    @classmethod
    @asynccontextmanager
    async def running(cls, folder: Path, database: str = "") -> AsyncIterator[PhoneConversation]:
        async with NodeSmsc.running() as smsc:
            path = folder / "carriers.toml"
            env = {"SMSC_PASSWORD": PASSWORD, "PARLOUR_DATABASE": database}
            server = Server(env=env, args=("--carriers", str(path)))
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

    async def receive(self, tag: str, text: str) -> None:
        """Let the phone send a text, and wait for the response."""
        await self.smsc.deliver(tag, text)
        answer = await self.smsc.event("delivered")
        assert (answer["tag"], answer["status"]) == (tag, 0)

    async def texts(self, count: int) -> list[str]:
        """Return the texts of the conversation, once it has so many."""
        page = await self.until("/Messages", lambda page: len(page["messages"]) >= count)
        return [each["body"] for each in page["messages"]]

    async def until_acknowledgements_are_recorded(self) -> None:
        def count() -> int:
            with closing(connect(self.server)) as connection:
                return int(connection.execute(UNACKNOWLEDGED).fetchone()[0])

        await asyncio.to_thread(eventually, count, lambda found: found == 0)

    async def kill_and_start(self) -> None:
        self.server.kill()
        await asyncio.to_thread(self.server.start)
        await self.smsc.event("bind")

    async def start_again(self) -> None:
        """Wait for the crash, and start without one."""
        process = self.server.process
        assert process is not None
        assert await asyncio.to_thread(process.wait, SECONDS_MAX) == -9
        del self.server._env["PARLOUR_CRASH_AT"]
        await self.kill_and_start()


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
@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.gate)])
def test_only_a_message_without_an_acknowledgement_is_redelivered_after_a_crash(
    engine: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        database = shared().make_migrated_database() if engine == "postgres" else ""
        async with PhoneConversation.running(tmp_path, database) as phone:
            await phone.open()
            await phone.receive("first", "yes")
            await phone.until_acknowledgements_are_recorded()
            await phone.kill_and_start()
            await phone.receive("second", "yes")
            assert await phone.texts(2) == ["yes", "yes"]

            await phone.crash_at(INBOUND_STORED)
            await phone.smsc.deliver("lost", "yes")
            await phone.start_again()
            await phone.receive("again", "yes")
            await phone.receive("other", "no")
            assert await phone.texts(4) == ["yes", "yes", "yes", "no"]
            await phone.receive("fourth", "yes")
            assert await phone.texts(5) == ["yes", "yes", "yes", "no", "yes"]

    asyncio.run(scenario())


@pytest.mark.slow
def test_a_crash_before_the_acknowledgement_of_a_long_message_makes_no_second_one(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async def deliver(tag: str) -> None:
            for number in (1, 2):
                udh = bytes((5, 0, 3, 7, 2, number)).hex()
                content = {"udh": udh, "message": f"part {number}."}
                await phone.smsc.deliver(tag, content, esm_class=0x40)

        async with PhoneConversation.running(tmp_path) as phone:
            await phone.open()
            await phone.crash_at(INBOUND_STORED)
            await deliver("lost")
            await phone.start_again()
            await deliver("again")
            answers = await phone.smsc.events("delivered", 2)
            assert {(each["tag"], each["status"]) for each in answers} == {("again", 0)}
            await phone.receive("next", "the next")
            assert await phone.texts(2) == ["part 1.part 2.", "the next"]

    asyncio.run(scenario())


def test_a_stop_records_acknowledgements_so_that_the_same_text_is_another_message(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with PhoneConversation.running(tmp_path) as phone:
            await phone.open()
            await phone.receive("first", "yes")
            await asyncio.to_thread(phone.server.stop)
            await asyncio.to_thread(phone.server.start)
            await phone.smsc.event("bind")
            await phone.receive("second", "yes")
            assert await phone.texts(2) == ["yes", "yes"]

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
