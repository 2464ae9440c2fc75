"""A reset under load: after its response no earlier change reaches webhooks, clients or phones.

Senders, the receiver of webhooks and the clients run in the event loop of the server, so the order
of arrivals is exact.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from parlour.delivery.lanes import Lanes
from parlour.http.run import Listeners
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName
from tests.events.webhook_backend import OK, WebhookBackend, hang
from tests.support.twilsock_client import init_header, parsed, request_header, written
from tests.testmode.rest_server import RestAccount, RestServer, in_server
from tests.testmode.test_resets import RESET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.events.webhook_backend import WebhookRequest

CONVERSATIONS = 24
MESSAGES = 200
SLOW_SECONDS = 0.02


class Client:
    """A client of the realtime socket that records what it gets."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.notifications = 0
        self.closes: list[dict[str, Any]] = []
        self.is_open = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def send(self, header: dict[str, Any], payload: bytes = b"") -> None:
        """Send a frame."""
        await self._connection.send(written({"id": "TM1", **header}, payload))

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = await self._connection.recv()
                assert isinstance(message, bytes)
                frame = parsed(message)
                if frame.method == "notification":
                    self.notifications += 1
                elif frame.method == "reply":
                    self.is_open.set()
                elif frame.method == "close":
                    self.closes.append(frame.header | {"payload": frame.payload})

    async def end(self) -> None:
        """Close the connection."""
        await self._connection.close()
        await self._reading


async def open_client(port: int, account: RestAccount, identity: str, sid: str) -> Client:
    """Connect a user, subscribed to the messages of a conversation."""
    token = (await account.post("/parlour/v1/Tokens", Identity=identity)).expect(201)["token"]
    url = f"ws://127.0.0.1:{port}/v3/wsconnect"
    client = Client(await connect(url, max_size=None, compression=None))
    await client.send(init_header(token))
    await client.is_open.wait()
    name = ObjectName(ObjectKind.MESSAGES, sid)
    body = {
        "event_protocol_version": 4,
        "action": "establish",
        "correlation_id": 1,
        "requests": [
            {"object_type": name.kind.type, "object_sid": name.sid, "last_event_id": None}
        ],
    }
    await client.send(request_header("POST", "/v4/Subscriptions"), json.dumps(body).encode())
    return client


@contextlib.asynccontextmanager
async def listening(server: RestServer) -> Any:
    """Accept connections of clients; yield the port."""
    connections = server.app.connections()
    listeners = Listeners(connections, None)
    bound = socket.create_server(("127.0.0.1", 0))
    try:
        yield await listeners.accept([bound])
    finally:
        for each in listeners._servers:
            each.close()
        bound.close()


async def slow(_request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(SLOW_SECONDS)
    writer.write(OK)


async def set_up(account: RestAccount, backend: WebhookBackend, users: int) -> list[str]:
    """Create conversations with users and phones, and webhooks to a slow and a hanging receiver."""
    backend.responders = {"/slow": slow, "/hangs": hang}
    form = {"PostWebhookUrl": backend.url("/slow"), "Filters": "onMessageAdded", "Method": "POST"}
    (await account.send("POST", "/v1/Configuration/Webhooks", form)).expect(200)
    sids = []
    for number in range(CONVERSATIONS):
        made = await account.make("/v1/Conversations", UniqueName=f"c{number}")
        sids.append(made["sid"])
        await account.make(
            f"/v1/Conversations/{made['sid']}/Participants",
            MessagingBinding__Address=f"+155501{number:04}",
            MessagingBinding__ProxyAddress="+15550999",
        )
    await account.make(
        f"/v1/Conversations/{sids[1]}/Webhooks",
        Target="webhook",
        Configuration__Url=backend.url("/hangs"),
        Configuration__Filters="onMessageAdded",
    )
    for number in range(users):
        path = f"/v1/Conversations/{sids[0]}/Participants"
        await account.make(path, Identity=f"user{number}")
    return sids


async def load(account: RestAccount, sids: list[str], until: asyncio.Event) -> int:
    """Send messages until an event, or until the account has none of the conversations."""
    sent = 0
    while not until.is_set():
        path = f"/v1/Conversations/{sids[sent % len(sids)]}/Messages"
        answer = await account.post(path, Body="before", Author="system")
        if answer.status != 201:
            assert answer.status in {404, 503}, answer
            return sent
        sent += 1
    return sent


async def until_loaded(backend: WebhookBackend, clients: list[Client]) -> None:
    """Wait until the load has reached the receiver and each client."""
    while not (  # noqa: ASYNC110 - the recorders have no event.
        len(backend.requests) >= MESSAGES // 4 and all(each.notifications for each in clients)
    ):
        await asyncio.sleep(0.005)


async def reset_under_load(server: RestServer, account: RestAccount, users: int) -> None:
    """Reset an account under load; assert that no earlier change arrives after the response."""
    async with WebhookBackend() as backend, listening(server) as port:
        sids = await set_up(account, backend, users)
        clients = [
            await open_client(port, account, f"user{number}", sids[0]) for number in range(users)
        ]
        done = asyncio.Event()
        senders = [asyncio.create_task(load(account, sids, done)) for _ in range(4)]
        async with asyncio.timeout(30):
            await until_loaded(backend, clients)

        (await account.post(RESET)).expect(200)

        webhooks = len(backend.requests)
        frames = [each.notifications for each in clients]
        done.set()
        sent = sum(await asyncio.gather(*senders))
        assert sent > MESSAGES // 4
        # Any remainder would arrive now, with new work and all retries of a day.
        form = {"PostWebhookUrl": backend.url("/after"), "Filters": "onMessageAdded"}
        (
            await account.send("POST", "/v1/Configuration/Webhooks", form | {"Method": "POST"})
        ).expect(200)
        made = await account.make("/v1/Conversations", UniqueName="after")
        await account.make(f"/v1/Conversations/{made['sid']}/Messages", Body="after")
        (await account.post("/parlour/v1/Settle")).expect(200)
        (await account.post("/parlour/v1/Clock/Advance", By="P1D")).expect(200)

        late = [each.values["Body"] for each in backend.requests[webhooks:]]
        assert late == ["after"]
        assert [each.notifications for each in clients] == frames
        for each in clients:
            assert [close["status"]["status"] for close in each.closes] == ["RESET"]
            assert each.closes[0]["payload"]["backoff_policy"]["reconnect_min_ms"] == 1000
        texts = await server.rows(
            f"SELECT body FROM virtual_phone_message WHERE account_sid = '{account.login}'"
        )
        assert texts == []
        for each in clients:
            await each.end()


@pytest.mark.parametrize("users", [20, pytest.param(100, marks=pytest.mark.gate)])
def test_no_earlier_change_arrives_after_a_reset(tmp_path: Path, users: int) -> None:
    async def scene(server: RestServer) -> None:
        account = await server.new_account()
        await reset_under_load(server, account, users)

    in_server(tmp_path, scene)


def test_another_account_gets_all_webhooks_once_during_resets(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        account, other = await server.new_account(), await server.new_account()
        async with WebhookBackend() as backend, WebhookBackend() as other_backend:
            sids = await set_up(account, backend, 0)
            others = await set_up(other, other_backend, 0)
            done = asyncio.Event()
            senders = [asyncio.create_task(load(account, sids, done)) for _ in range(2)]
            mine = asyncio.create_task(load(other, [others[0], *others[2:]], done))
            for _ in range(5):
                (await account.post(RESET)).expect(200)
                await asyncio.sleep(0)
            done.set()
            sent, _ = await mine, await asyncio.gather(*senders)
            (await other.post("/parlour/v1/Settle")).expect(200)
            tokens = [each.headers["i-twilio-idempotency-token"] for each in other_backend.requests]
            assert len(tokens) == len(set(tokens)) == sent

    in_server(tmp_path, scene)


def test_a_lane_that_is_not_stopped_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget = Lanes.forget

    def leave_one(self: Lanes, accounts: Callable[[str], bool]) -> None:
        ready = [lane for each in self.endpoints for lane in each.ready.values()]
        delivery = msgspec.structs.replace(ready[0].waiting[0], due_ms=0)
        forget(self, accounts)
        self.offer(delivery)

    async def scene(server: RestServer) -> None:
        account = await server.new_account()
        monkeypatch.setattr(Lanes, "forget", leave_one)
        with pytest.raises(AssertionError, match="before"):
            await reset_under_load(server, account, 2)

    in_server(tmp_path, scene)
