"""The slots of sign-ins: clients that send slowly hold none, and addresses share them fairly."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.http.messages import Request
from parlour.protocol.header_block import HeaderBlock
from parlour.vocabulary import limits
from tests.console.console_page import OWN_PAGE, SESSION, ConsolePage, run_scene, signed_in
from tests.console.test_gate import gate_of
from tests.events.in_process_server import ACCOUNT_SID, AUTH_TOKEN, poll_until
from tests.support.in_process_api import FORM_TYPE
from tests.support.in_process_requests import RecordedExchange

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer

STRANGER = "192.0.2.1"
RIGHT = {"Name": ACCOUNT_SID, "Secret": AUTH_TOKEN}


class SlowExchange(RecordedExchange):
    """A connection whose client sends its body late."""

    def __init__(self, released: asyncio.Event) -> None:
        super().__init__(b"Open=true")
        self._released = released
        self.is_reading = False

    async def read_body(self) -> bytes:
        """Wait for the client."""
        self.is_reading = True
        await self._released.wait()
        return await super().read_body()


def test_clients_that_send_slowly_hold_no_slot(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        server, released = instance.app.server, asyncio.Event()
        headers = {
            **OWN_PAGE,
            b"host": b"localhost",
            b"content-type": FORM_TYPE,
            b"content-length": b"9",
        }
        exchanges = [SlowExchange(released) for _ in range(limits.CONSOLE_REQUESTS_MAX + 8)]
        held = []
        for each in exchanges:
            route = server.routes.find(SESSION, "POST")
            request = Request("POST", SESSION, b"", HeaderBlock(headers), each, route)
            held.append(asyncio.create_task(server.serve(request)))
        try:

            async def all_hang() -> bool:
                return all(each.is_reading for each in exchanges)

            await poll_until(all_hang)
            page = await signed_in(instance.app)
            (await page.call("GET", "/v1/Conversations")).expect(200)
        finally:
            released.set()
            await asyncio.gather(*held)
        assert gate_of(instance)._admission.running == 0

    run_scene(tmp_path / "data", scene)


def test_sign_ins_of_one_address_leave_slots_for_others(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        gate = gate_of(instance)
        leaves = [gate.enter("", STRANGER) for _ in range(limits.CONSOLE_REQUESTS_MAX)]
        stranger = ConsolePage(instance.app, peer=STRANGER)
        (await stranger.send("POST", SESSION, RIGHT)).refuses(429, 20429)
        await signed_in(instance.app)
        for leave in leaves:
            leave()
        (await stranger.send("POST", SESSION, RIGHT)).expect(201)
        assert gate._admission.running == 0

    run_scene(tmp_path / "data", scene)
