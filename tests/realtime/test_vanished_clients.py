"""Clients that disconnect at any moment of an init or a subscription leave nothing behind."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from parlour.protocol.access_tokens import AccessToken
from parlour.resources.users import store as user_store
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName
from tests.attacks.attack_traffic import request_frame, ws_frame
from tests.events.in_process_server import InProcessServer, poll_until
from tests.support.twilsock_client import init_header, written
from tests.support.websocket_transport import opened

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.realtime.connection import ClientConnection
    from parlour.realtime.session import Session
    from parlour.realtime.websocket import WebSocket
    from tests.support.websocket_transport import Transport

# Reads run in the event loop, so that the moments can be counted in its turns.
pytestmark = pytest.mark.embedded

TURNS_MAX = 1_000
INIT = ws_frame(written({"id": "TM1", **init_header("x")}))


class PresenceScenario:
    """Alice, who is online while she is connected, and a conversation of hers."""

    def __init__(self, instance: InProcessServer) -> None:
        self.instance = instance
        self.manager = instance.app.realtime.connections
        self.hub = instance.app.realtime.hub

    async def set(self) -> None:
        instance = self.instance
        await instance.do(
            "UpdateServiceConfiguration",
            {"ReachabilityEnabled": "true"},
            ChatServiceSid=instance.scope.service_sid,
        )
        self.sid = (await instance.do("CreateConversation")).sid
        await instance.do(
            "CreateConversationParticipant", {"Identity": "alice"}, ConversationSid=self.sid
        )
        await instance.send_message(self.sid, "Hello")
        token = AccessToken(
            account_sid=instance.scope.account_sid,
            key_sid="SK",
            identity="alice",
            service_sid=instance.scope.service_sid,
            expires_ms=1 << 45,
        )

        async def verify(*_: object) -> AccessToken:
            await asyncio.sleep(0)
            return token

        open_session = self.manager.open_session

        async def open_session_slowly(*given: Any) -> Session:
            await asyncio.sleep(0)
            session = await open_session(*given)
            await asyncio.sleep(0)
            return session

        # Both take some turns, as on a shared engine.
        manager: Any = self.manager
        manager.tokens = SimpleNamespace(verify=verify)
        manager.open_session = open_session_slowly

    def subscription(self) -> bytes:
        """The frame that subscribes to the conversation, from its first event."""
        kinds = (ObjectKind.CONVERSATION, ObjectKind.MESSAGES, ObjectKind.ROSTER)
        requests = [
            {
                "object_type": kind.type,
                "object_sid": ObjectName(kind, self.sid).sid,
                "last_event_id": 0,
            }
            for kind in kinds
        ]
        body = {"action": "establish", "correlation_id": 1, "requests": requests}
        return request_frame("POST", "/v4/Subscriptions", body)

    def connect(self) -> tuple[WebSocket, Transport, ClientConnection]:
        made: list[Any] = []

        def accept(socket: WebSocket) -> Any:
            made.append(self.manager.accept(socket))
            return made[0]

        return *opened(accept), made[0]

    async def vanish(self, frames: list[tuple[bytes, bytes]], turns: int) -> bool:
        """Disconnect so many turns of the loop after the last frame was sent.

        ``frames``: each with an expected part of its reply. Return whether the last reply was sent
        before the disconnect.
        """
        socket, transport, connection = self.connect()
        for frame, answer in frames:
            is_last = frame is frames[-1][0]
            socket.data_received(frame)
            for _ in range(turns if is_last else TURNS_MAX):
                if answer in transport.written:
                    break
                await asyncio.sleep(0)
        is_answered = frames[-1][1] in transport.written
        socket.connection_lost(None)
        if connection._tasks:
            await asyncio.wait(set(connection._tasks))
        return is_answered

    async def is_online(self) -> bool:
        found = await self.instance.store.read(
            lambda tx: user_store.find_user_by_identity(tx, self.instance.scope, "alice")
        )
        assert found is not None
        return bool(found.is_online)

    def open_sockets(self) -> float:
        """Return the value of the metric."""
        (metric,) = self.instance.app.realtime.metrics()
        return metric.samples[0].value


@pytest.mark.parametrize("amid", ["init", "subscription"])
def test_a_client_that_disconnects_at_any_moment_is_offline_and_unregistered(
    tmp_path: Path, amid: str
) -> None:
    async def run() -> None:
        async with InProcessServer(tmp_path) as instance:
            scenario = PresenceScenario(instance)
            await scenario.set()
            frames = [(INIT, b'"method":"reply"')]
            if amid == "subscription":
                frames.append((scenario.subscription(), b"subscription_established"))
            turns = 0
            while not await scenario.vanish(frames, turns):
                assert scenario.open_sockets() == 0
                assert not scenario.hub.has_conversation_subscribers(scenario.sid)
                turns += 1
                assert turns < TURNS_MAX
            assert turns > 3  # There were several moments to disconnect at.
            assert scenario.open_sockets() == 0

            async def is_offline() -> bool:
                return not await scenario.is_online()

            async def is_connected() -> bool:
                return scenario.open_sockets() == 1

            await poll_until(is_offline)
            # A connected user is online, and after the disconnect is not.
            socket, _, _ = scenario.connect()
            socket.data_received(INIT)
            # Presence is written later: the user may still be online from the last moment.
            await poll_until(is_connected)
            await poll_until(scenario.is_online)
            socket.connection_lost(None)
            await poll_until(is_offline)
            assert scenario.open_sockets() == 0

    asyncio.run(run())
