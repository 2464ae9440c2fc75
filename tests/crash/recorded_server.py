"""A run of the real application in this process, on the recording disk."""

from __future__ import annotations

import asyncio
import functools
import json
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import urlencode

import apsw

import parlour.app
from parlour.config import Settings
from parlour.store import engines
from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary import limits
from tests.checkers.concurrent_writers import Answered, basic
from tests.checkers.request_log import Step
from tests.checkers.workload import KnownObjects, Writer
from tests.crash.recording_disk import Record, RecordingVfs
from tests.support.in_process_requests import send_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parlour.http.server import HttpServer

ACCOUNT_SID = "AC" + "0" * 31 + "1"
AUTH_TOKEN = "made up for this test"
WRITERS = 3
REST_SECONDS_MAX = 20.0
# Small, so that checkpoints and a restart of the write-ahead log are part of every run.
WAL_PAGES_CHECKPOINT = 60
WAL_PAGES_MAX = 150

# The table of an acknowledged object.
TABLES = {
    "conversation": "conversation",
    "participant": "participant",
    "messaging_participant": "participant",
    "message": "message",
    "scoped_webhook": "scoped_webhook",
    "user": "chat_user",
    "role": "role",
    "credential": "credential",
    "address": "address_configuration",
    "service": "service",
}
COLUMNS = ("friendly_name", "attributes", "body", "identity", "unique_name", "proxy_address")


class InProcess:
    """Requests to a server object, without a socket."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server

    async def send(self, step: Step) -> Answered:
        """Return the response to one step of the workload."""
        headers = {
            b"host": b"127.0.0.1",
            b"authorization": basic(ACCOUNT_SID, AUTH_TOKEN).encode(),
            b"content-type": b"application/x-www-form-urlencoded",
        }
        content = urlencode(step.form).encode()
        status, _, body = await send_request(self._server, step.method, step.path, headers, content)
        return status, json.loads(body) if body else None


def record_first_start(folder: Path) -> Record:
    """Record a first start in an empty folder, and a stop."""
    recorder = RecordingVfs()
    with _on(recorder, "FULL"):
        asyncio.run(_start_and_stop(folder))
    return Record({}, recorder.events)


def record_work(folder: Path, *, synchronous: str, steps: int, seed: int) -> Record:
    """Record a second start, and concurrent writers; each response sets a mark."""
    asyncio.run(_start_and_stop(folder))
    name = engines.DATABASE_NAME
    before = {name: (folder / name).read_bytes()}
    recorder = RecordingVfs()
    with _on(recorder, synchronous):
        asyncio.run(_run(folder, recorder, steps, seed))
    return Record(before, recorder.events)


def wait_until_idle(folder: Path) -> None:
    """Start again, and wait until background removal has finished."""

    async def run() -> None:
        app = await _application(folder)
        await app.start()
        deadline = asyncio.get_running_loop().time() + REST_SECONDS_MAX
        while await app.store.read(lambda tx: tx.one("SELECT 1 FROM purge LIMIT 1")):
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.01)
        await app.stop()

    asyncio.run(run())


@contextmanager
def _on(recorder: RecordingVfs, synchronous: str) -> Iterator[None]:
    """Let the application's store open its files on this recorder, with small limits."""
    store = functools.partial(SqliteStore, vfs=recorder.name, synchronous=synchronous)
    with (
        mock.patch.object(engines, "SqliteStore", store),
        mock.patch.object(limits, "WAL_PAGES_CHECKPOINT", WAL_PAGES_CHECKPOINT),
        mock.patch.object(limits, "WAL_PAGES_MAX", WAL_PAGES_MAX),
    ):
        yield


async def _application(folder: Path) -> parlour.app.App:
    settings = Settings(data=folder, account_sid=ACCOUNT_SID, auth_token=AUTH_TOKEN)
    return await parlour.app.open_app(settings)


async def _start_and_stop(folder: Path) -> None:
    app = await _application(folder)
    await app.start()
    await app.stop()


async def _run(folder: Path, recorder: RecordingVfs, steps: int, seed: int) -> None:
    app = await _application(folder)
    await app.start()
    client = InProcess(app.server)
    world = await _world(client, app.store)
    writers = [Writer(number, seed, world) for number in range(WRITERS)]
    await asyncio.gather(*(_work(client, recorder, writer, steps) for writer in writers))
    await app.stop()


async def _world(client: InProcess, store: SqliteStore) -> KnownObjects:
    """Create a conversation that all writers post to; return it with the default roles."""
    first = Step("create_conversation", "conversation", "create", "/v1/Conversations")
    status, made = await client.send(first)
    assert status == 201, made
    assert made is not None
    roles = await store.read(lambda tx: tx.all("SELECT type, sid FROM role ORDER BY sequence"))
    return KnownObjects(
        made["chat_service_sid"],
        tuple(sid for kind, sid in roles if kind == "conversation"),
        tuple(sid for kind, sid in roles if kind == "service"),
        (made["sid"],),
    )


async def _work(client: InProcess, recorder: RecordingVfs, writer: Writer, steps: int) -> None:
    rng = random.Random(writer.number)
    for _ in range(steps):
        step = writer.next()
        status, body = await client.send(step)
        assert status in step.statuses, (step, status, body)
        recorder.mark((step, body))
        writer.process_response(step, status, body)
        # Sometimes a writer misses a group commit and waits for the next.
        for _ in range(rng.randrange(3)):
            await asyncio.sleep(0)


def is_stored(path: Path, mark: tuple[Step, dict[str, Any] | None]) -> bool:
    """Return whether the database contains the acknowledged change of a mark."""
    step, body = mark
    table = TABLES.get(step.kind)
    if table is None or step.verb == "delete" or body is None or "sid" not in body:
        return True
    connection = apsw.Connection(str(path))
    try:
        shown = [name for name in COLUMNS if name in body]
        columns = ", ".join(["sid", *shown])
        query = f"SELECT {columns} FROM {table} WHERE sid = ?"
        rows = connection.execute(query, (body["sid"],)).fetchall()
        return rows == [(body["sid"], *(body[name] for name in shown))]
    finally:
        connection.close()
