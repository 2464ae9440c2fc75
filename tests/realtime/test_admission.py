"""Requests through the socket have a place among all requests, until their answers are sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.protocol.twilsock_frames import Frame
from tests.events.in_process_server import House
from tests.realtime.client_listener import Ear

if TYPE_CHECKING:
    from pathlib import Path


def request(path: str) -> Frame:
    """The frame of a request to read something."""
    return Frame("TM1", "message", {"http_request": {"path": path, "method": "GET"}})


def test_a_request_keeps_its_place_until_its_reply_is_in_the_outbox(tmp_path: Path) -> None:
    async def scene() -> None:
        async with House(tmp_path) as house:
            sid = (await house.do("CreateConversation")).sid
            await house.do(
                "CreateConversationParticipant", {"Identity": "alice"}, ConversationSid=sid
            )
            ear = Ear(house, "alice", (await house.do("FetchUser", Sid="alice")).sid)
            await ear.enter()
            tunnel = ear.realtime.endpoint.tunnel
            for path in (f"/v3/Documents/{sid}.channel", f"/v3/Lists/{sid}.messages/Items"):
                await tunnel.answer(ear, request(path))  # type: ignore[arg-type]
            assert ear.running_at_reply == [1, 1]
            assert house.app.admission.running == 0

    asyncio.run(scene())
