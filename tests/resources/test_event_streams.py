"""The event feed as a stream of server-sent events, over connections of this process."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import pytest

from parlour.resources.accounts import actions as account_actions
from parlour.store import event_log
from parlour.vocabulary import limits
from tests.events.in_process_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    ScenarioRunner,
    poll_until,
    scenario_runner,
)
from tests.support.in_process_api import BUFFER_BYTES, InProcessApi, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from parlour.store.transaction import Transaction
    from tests.events.in_process_server import InProcessServer
    from tests.events.webhook_backend import WebhookBackend

EVENTS = "/parlour/v1/Events"


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server."""
    return scenario_runner(tmp_path / "data")


class ServerSentEvent(NamedTuple):
    """One block of a stream."""

    cursor: str
    event: dict[str, Any] | None
    """None of a comment."""

    @classmethod
    def parse(cls, block: str) -> Self:
        """Return a block of lines."""
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        assert set(fields) in ({"id"}, {"id", "data"}), block
        return cls(fields["id"], json.loads(fields["data"]) if "data" in fields else None)


class EventStreamClient:
    """A client of one stream: its status, headers and blocks."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.status = 0
        self.headers: dict[str, str] = {}
        self._text = ""
        self.is_ended = False

    async def read_head(self) -> None:
        """Read the head of the response."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = dict(line.lower().split(": ", 1) for line in lines)

    async def _piece(self) -> bytes:
        """Return the next part of the body; empty at its end."""
        if self.headers.get("transfer-encoding") != "chunked":
            return await self.reader.read(65536)
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def next(self) -> ServerSentEvent | None:
        """Return the next block; None at the end of the stream."""
        async with asyncio.timeout(30):
            while "\n\n" not in self._text:
                piece = await self._piece()
                if not piece:
                    self.is_ended = True
                    return None
                self._text += piece.decode()
        block, self._text = self._text.split("\n\n", 1)
        return ServerSentEvent.parse(block)

    async def next_event(self) -> dict[str, Any]:
        """Return the next event, after any comments."""
        while True:  # Ends with an event, or the timeout of `next`.
            found = await self.next()
            assert found is not None, "the stream has ended"
            if found.event is not None:
                assert found.cursor == found.event["cursor"]
                return found.event


@asynccontextmanager
async def stream(
    instance: InProcessServer,
    port: int,
    query: str = "",
    *,
    version: str = "1.1",
    login: tuple[str, str] = (ACCOUNT_SID, AUTH_TOKEN),
    **headers: str,
) -> AsyncIterator[EventStreamClient]:
    """Open a stream."""
    api = InProcessApi(instance.app.server, *login)
    sent = {**api.headers, b"accept": b"text/event-stream"}
    sent |= {name.replace("_", "-").encode(): text.encode() for name, text in headers.items()}
    lines = b"".join(b"%s: %s\r\n" % each for each in sent.items())
    connected = socket.socket()
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    connected.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connected, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=connected)
    writer.write(f"GET {EVENTS}{query} HTTP/{version}\r\n".encode() + lines + b"\r\n")
    client = EventStreamClient(reader, writer)
    try:
        await client.read_head()
        yield client
    finally:
        writer.close()


async def bodies(client: EventStreamClient, count: int) -> list[str]:
    return [(await client.next_event())["parameters"]["Body"] for _ in range(count)]


def test_a_stream_sends_what_is_committed_and_resumes_by_its_last_id(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        await instance.send_message(sid, "before")
        async with listening(instance.app) as port:
            async with stream(instance, port) as client:
                assert client.status == 200
                assert client.headers["content-type"] == "text/event-stream; charset=utf-8"
                assert client.headers["transfer-encoding"] == "chunked"
                assert "content-length" not in client.headers
                await instance.send_message(sid, "1")
                first = await client.next_event()
                assert first["parameters"]["Body"] == "1"
                await instance.send_message(sid, "2")
                assert await bodies(client, 1) == ["2"]
            await instance.send_message(sid, "3")
            resumed = {"last_event_id": first["cursor"]}
            async with stream(instance, port, "?After=start", **resumed) as client:
                assert await bodies(client, 2) == ["2", "3"]
            page = await InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN).get(
                EVENTS, After=first["cursor"], PageSize=1
            )
            async with stream(instance, port, "?After=start&EventType=onMessageAdded") as client:
                assert await bodies(client, 2) == ["before", "1"]
                assert [await client.next_event()] == page.expect(200)["events"]
            await poll_until(lambda: _is_idle(instance))

    run_scenario(scenario)


def test_a_stream_from_the_cursor_of_a_list_shows_each_later_change_once(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        sid = (await instance.do("CreateConversation")).sid
        for number in range(2):
            await instance.send_message(sid, f"before {number}")
        service = f"/v1/Services/{instance.scope.service_sid}"
        lists = [f"{base}/Conversations" for base in ("/v1", service)]
        lists += [f"{each}/{sid}/{name}" for each in lists for name in ("Messages", "Participants")]
        lists += ["/v1/Users", f"{service}/Users"]
        wanted = {"parlour_event_cursor": "?1"}
        cursors = []
        for each in lists:
            headers = dict((await api.send("GET", each, **wanted)).headers)
            cursors.append(headers[b"parlour-event-cursor"].decode())
        assert len(set(cursors)) == len(lists)
        for each, more in (("/v1/Roles", wanted), ("/v1/Users", {})):
            assert b"parlour-event-cursor" not in dict(
                (await api.send("GET", each, **more)).headers
            )
        await instance.send_message(sid, "after")
        async with listening(instance.app) as port:
            for cursor in cursors:
                async with stream(instance, port, f"?After={cursor}") as client:
                    assert await bodies(client, 1) == ["after"]
        page = (await api.get(f"/v1/Conversations/{sid}/Messages", PageSize=1)).expect(200)
        following = page["meta"]["next_page_url"].removeprefix("http://localhost")
        shown = await api.send("GET", following, **wanted)
        assert b"parlour-event-cursor" not in dict(shown.headers)

    run_scenario(scenario)


async def _is_idle(instance: InProcessServer) -> bool:
    return instance.app.waiting_lists.count == 0


def test_a_long_catch_up_is_read_in_parts(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVENTS_PER_STREAM_READ", 3)

    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        for number in range(10):
            await instance.send_message(sid, str(number))
        query = "?After=start&EventType=onMessageAdded"
        async with listening(instance.app) as port, stream(instance, port, query) as client:
            assert await bodies(client, 10) == [str(number) for number in range(10)]

    run_scenario(scenario)


def test_a_client_of_http_1_0_gets_the_stream_without_chunks(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        async with listening(instance.app) as port, stream(instance, port, version="1.0") as client:
            assert "transfer-encoding" not in client.headers
            assert client.headers["connection"] == "close"
            await instance.send_message(sid, "1")
            assert await bodies(client, 1) == ["1"]

    run_scenario(scenario)


def test_a_stream_without_events_sends_its_cursor_in_comments(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVENT_STREAM_COMMENT_SECONDS", 0.05)

    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        async with listening(instance.app) as port:
            async with stream(instance, port, "?EventType=onUserAdded") as client:
                first = await client.next()
                assert first is not None
                await instance.send_message(sid, "filtered out")
                for _ in range(3):
                    again = await client.next()
                    assert again is not None
                    assert again.event is None
                    assert again.cursor != first.cursor
            async with stream(instance, port, last_event_id=again.cursor) as client:
                await instance.send_message(sid, "next")
                assert await bodies(client, 1) == ["next"]

    run_scenario(scenario)


def test_a_stream_ends_when_its_key_is_revoked(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        keys = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Keys"
        made = (await api.post(f"{keys}.json", {"FriendlyName": "k"})).expect(201)
        sid = (await instance.do("CreateConversation")).sid
        async with listening(instance.app) as port:
            login = made["sid"], made["secret"]
            async with (
                stream(instance, port, login=login) as client,
                stream(instance, port) as other,
            ):
                (await api.delete(f"{keys}/{made['sid']}.json")).expect(204)
                await instance.send_message(sid, "not for the key")
                while (found := await client.next()) is not None:
                    assert found.event is None
                assert await bodies(other, 1) == ["not for the key"]

    run_scenario(scenario)


def test_a_stream_ends_when_its_account_is_suspended(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        async def suspend(tx: Transaction) -> bool:
            return await account_actions.set_account_status(tx, instance.scope, "suspended")

        async with listening(instance.app) as port, stream(instance, port) as client:
            assert await client.next() is not None
            started = asyncio.get_running_loop().time()
            assert await instance.store.write(suspend)
            assert await client.next() is None
            elapsed = asyncio.get_running_loop().time() - started
            assert elapsed < limits.EVENT_STREAM_COMMENT_SECONDS
        async with listening(instance.app) as port, stream(instance, port) as client:
            assert client.status == 403

    run_scenario(scenario)


def test_a_stream_ends_when_the_server_stops(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        async with listening(instance.app) as port, stream(instance, port) as client:
            assert await client.next() is not None
            instance.app.waiting_lists.stop()
            while (last := await client.next()) is not None:
                assert last.event is None

    run_scenario(scenario)


def test_a_stream_is_closed_after_its_time(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVENT_STREAM_SECONDS_MAX", 0)

    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        async with listening(instance.app) as port, stream(instance, port) as client:
            assert await client.next() is not None
            assert await client.next() is None

    run_scenario(scenario)


@pytest.mark.promise("how-to/follow-events.md", "a further one is answered with 429")
def test_streams_of_an_account_are_bounded(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVENT_STREAMS_PER_ACCOUNT_MAX", 2)

    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        async with listening(instance.app) as port:
            async with stream(instance, port), stream(instance, port):
                async with stream(instance, port) as refused:
                    assert refused.status == 429
                # Requests have separate slots.
                api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
                (await api.get(EVENTS)).expect(200)
            await poll_until(lambda: _is_idle(instance))
            async with stream(instance, port) as client:
                assert client.status == 200

    run_scenario(scenario)


@pytest.mark.embedded
def test_a_client_that_reads_nothing_holds_no_more_than_one_read(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    read_after = event_log.oldest_sequence

    async def counted(tx: Any) -> int:
        nonlocal reads
        reads += 1
        return await read_after(tx)

    monkeypatch.setattr(event_log, "oldest_sequence", counted)
    monkeypatch.setattr(limits, "EVENTS_PER_STREAM_READ", 1)

    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        attributes = json.dumps({"text": "x" * 3_900})
        for _ in range(300):
            await instance.send_message(sid, "y", Attributes=attributes)
        async with listening(instance.app) as port, stream(instance, port, "?After=start"):
            before = -1

            async def is_stalled() -> bool:
                nonlocal before
                same, before = before == reads, reads
                await asyncio.sleep(0.05)
                return same and reads > 1

            await poll_until(is_stalled)
            assert reads < 300
            page = await InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN).get(EVENTS)
            page.expect(200)

    run_scenario(scenario)


@pytest.mark.parametrize(
    ("query", "headers"),
    [("?After=never", {}), ("", {"last_event_id": "17"}), ("?EventType=onNothing", {})],
)
def test_a_stream_with_an_invalid_query_is_refused(
    run_scenario: ScenarioRunner, query: str, headers: dict[str, str]
) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        async with (
            listening(instance.app) as port,
            stream(instance, port, query, **headers) as client,
        ):
            assert client.status == 400
        assert instance.app.waiting_lists.count == 0

    run_scenario(scenario)
