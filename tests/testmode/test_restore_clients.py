"""Clients of the realtime socket after a restore: what they know of later changes is corrected."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName
from tests.support.twilsock_client import init_header, parsed, request_header, written
from tests.testmode.rest_server import RestAccount, RestServer, in_server
from tests.testmode.test_reset_under_load import listening

if TYPE_CHECKING:
    from pathlib import Path

    from websockets.asyncio.client import ClientConnection

SNAPSHOTS = "/parlour/v1/Snapshots"


async def frame_of(connection: ClientConnection, *kinds: str) -> Any:
    """Return the payload of the next frame of a kind: an event type, or a method."""
    async with asyncio.timeout(10):
        while True:
            message = await connection.recv()
            assert isinstance(message, bytes)
            frame = parsed(message)
            kind = (frame.payload or {}).get("event_type", frame.method)
            if kind in kinds:
                return frame.payload


async def subscribed(
    port: int, account: RestAccount, sid: str, after: int | None
) -> ClientConnection:
    """Connect a user, and subscribe to the document of a conversation after an event."""
    token = (await account.post("/parlour/v1/Tokens", Identity="alice")).expect(201)["token"]
    url = f"ws://127.0.0.1:{port}/v3/wsconnect"
    connection = await connect(url, max_size=None, compression=None)
    await connection.send(written({"id": "TM1", **init_header(token)}))
    await frame_of(connection, "reply")
    name = ObjectName(ObjectKind.CONVERSATION, sid)
    wanted = {"object_type": name.kind.type, "object_sid": name.sid, "last_event_id": after}
    body = {
        "event_protocol_version": 4,
        "action": "establish",
        "correlation_id": 1,
        "requests": [wanted],
    }
    header = request_header("POST", "/v4/Subscriptions")
    await connection.send(written({"id": "TM2", **header}, json.dumps(body).encode()))
    return connection


def test_a_client_reads_a_conversation_again_that_was_restored(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        account = server.first()
        async with listening(server) as port:
            made = await account.make("/v1/Conversations", FriendlyName="before")
            path = f"/v1/Conversations/{made['sid']}"
            await account.make(f"{path}/Participants", Identity="alice")
            client = await subscribed(port, account, made["sid"], None)
            await frame_of(client, "subscription_established")
            (await account.post(SNAPSHOTS, Name="x")).expect(201)
            (await account.post(path, FriendlyName="after")).expect(200)
            await frame_of(client, "document_updated")
            known = (await server.rows("SELECT max(sequence) FROM event"))[0][0]

            (await account.post(f"{SNAPSHOTS}/x/Restore")).expect(200)
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await client.recv()
            again = await subscribed(port, account, made["sid"], known)

            # The SDK drops what it knows of a removed conversation, and reads the added one.
            await frame_of(again, "map_item_removed")
            await frame_of(again, "map_item_added")
            await again.close()

    in_server(tmp_path, scene)
