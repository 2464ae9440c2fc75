"""Requests through the socket use the shared slots, until their responses are sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.protocol.twilsock_frames import Frame
from tests.events.in_process_server import InProcessServer
from tests.realtime.client_listener import ClientListener

if TYPE_CHECKING:
    from pathlib import Path


def request(path: str) -> Frame:
    """Return the frame of a read request."""
    return Frame("TM1", "message", {"http_request": {"path": path, "method": "GET"}})


def test_a_request_keeps_its_slot_until_its_reply_is_in_the_outbox(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with InProcessServer(tmp_path) as instance:
            sid = (await instance.do("CreateConversation")).sid
            await instance.do(
                "CreateConversationParticipant", {"Identity": "alice"}, ConversationSid=sid
            )
            listener = ClientListener(
                instance, "alice", (await instance.do("FetchUser", Sid="alice")).sid
            )
            await listener.connect()
            tunnel = listener.realtime.connections.tunnel
            for path in (f"/v3/Documents/{sid}.channel", f"/v3/Lists/{sid}.messages/Items"):
                await tunnel.handle(listener, request(path))  # type: ignore[arg-type]
            assert listener.running_at_reply == [1, 1]
            assert instance.app.admission.running == 0

    asyncio.run(scenario())
