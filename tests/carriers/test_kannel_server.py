"""Kannel of Debian's packages and a whole server: a conversation with a phone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.carriers.http_carrier_setup import PHONE, PROXY
from tests.carriers.kannel_boxes import (
    FAKE_SMSC,
    PASSWORD,
    USER,
    KannelBoxes,
    KannelMissing,
    find_kannel,
)
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.gate, pytest.mark.xdist_group("kannel")]

TOKEN = "token-of-callbacks"
FILE = """
[carriers.gateway]
type = "kannel"
sendsms_url = "{url}"
username = "{user}"
password = {{ env = "KANNEL_PASSWORD" }}
callback_token = {{ env = "KANNEL_TOKEN" }}

[[routes]]
channel = "sms"
carrier = "gateway"

[[numbers]]
address = "{number}"
account = "{owner}"
"""


class _Chat:
    """A conversation with the phone, over REST."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._path = f"/Conversations/{api.post('/Conversations').expect(201)['sid']}"
        binding = {"MessagingBinding.Address": PHONE, "MessagingBinding.ProxyAddress": PROXY}
        api.post(f"{self._path}/Participants", binding).expect(201)

    def send(self, body: str) -> str:
        path = f"{self._path}/Messages"
        return f"{path}/{self._api.post(path, Body=body).expect(201)['sid']}/Receipts"

    def await_status(self, receipts: str, status: str) -> None:
        def statuses() -> list[str]:
            rows = self._api.get(receipts).expect(200)["delivery_receipts"]
            return [each["status"] for each in rows]

        eventually(statuses, lambda seen: seen == [status], seconds=30)

    def await_texts(self, *expected: tuple[str, str]) -> None:
        def texts() -> list[tuple[str, str]]:
            rows: list[Any] = self._api.get(f"{self._path}/Messages").expect(200)["messages"]
            return [(each["author"], each["body"]) for each in rows]

        eventually(texts, lambda seen: seen == list(expected), seconds=30)


def test_a_conversation_with_a_phone_behind_kannel(tmp_path: Path) -> None:
    try:
        programs = find_kannel(tmp_path)
    except KannelMissing as error:
        pytest.skip(f"KANNEL IS NOT TESTED: {error}")
    path = tmp_path / "carriers.toml"
    secrets = {"KANNEL_PASSWORD": PASSWORD, "KANNEL_TOKEN": TOKEN}
    server = Server(args=("--carriers", str(path)), env=secrets)
    server._env["PARLOUR_PUBLIC_URL"] = server.base_url
    inbound = f"{server.base_url}/parlour/v1/Carriers/gateway/inbound?token={TOKEN}"
    boxes = KannelBoxes(programs, tmp_path, FAKE_SMSC, inbound)
    path.write_text(
        FILE.format(url=boxes.sendsms_url, user=USER, number=PROXY, owner=server.account_sid)
    )

    async def main() -> None:
        async with boxes:
            chat = await asyncio.to_thread(_Chat, api)
            phones = await boxes.connect_phones()
            receipts = await asyncio.to_thread(chat.send, "Привет 😀")
            await phones.wait_for(r"Got message 1: <\S+ \S+ ucs-2 ")
            await asyncio.to_thread(chat.await_status, receipts, "delivered")
            await boxes.connect_phones(f"{PHONE} {PROXY} text Thanks & bye")
            expected = ("system", "Привет 😀"), (PHONE, "Thanks & bye")
            await asyncio.to_thread(chat.await_texts, *expected)

    with server:
        api = Api(server.base_url, server.account_sid, server.auth_token)
        asyncio.run(main())
        api.close()
