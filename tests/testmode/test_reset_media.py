"""Files of media: a reset removes them, unless a snapshot names them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from tests.support.in_process_requests import send_request
from tests.testmode.rest_server import RestAccount, RestServer, in_server

if TYPE_CHECKING:
    from pathlib import Path

SNAPSHOTS, RESET = "/parlour/v1/Snapshots", "/parlour/v1/Reset"


async def upload(account: RestAccount) -> str:
    """Upload a medium; return its SID."""
    service = (await account.get("/v1/Configuration")).json["default_chat_service_sid"]
    pair = base64.b64encode(f"{account.login}:{account.secret}".encode())
    headers = {
        b"host": b"127.0.0.1",
        b"authorization": b"Basic " + pair,
        b"content-type": b"image/png",
        b"content-length": b"9",
    }
    path = f"/v1/Services/{service}/Media"
    made = await send_request(account.server.app.server, "POST", path, headers, b"a picture")
    assert made.status == 201, made
    return str(json.loads(made.body)["sid"])


def files(data: Path) -> list[str]:
    """Return the names of all files of media."""
    return sorted(each.name for each in (data / "media").rglob("*") if each.is_file())


def test_files_go_with_their_rows_and_stay_while_a_snapshot_names_them(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        one, other = await server.new_account(), await server.new_account()
        stays = await upload(other)
        first = await upload(one)
        assert files(tmp_path) == sorted([stays, first])
        (await one.post(SNAPSHOTS, Name="x")).expect(201)
        second = await upload(one)

        (await one.post(f"{SNAPSHOTS}/x/Restore")).expect(200)
        assert files(tmp_path) == sorted([stays, first])

        third = await upload(one)
        rows = await server.rows("SELECT sid FROM media")
        assert {sid for (sid,) in rows} == {stays, first, third}
        assert second not in files(tmp_path)
        (await one.post(RESET)).expect(200)
        # The reset removed the snapshot, too.
        assert files(tmp_path) == [stays]

    in_server(tmp_path, scene)


def test_a_file_of_a_removed_medium_is_restored_with_its_row(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        one = server.first()
        sid = await upload(one)
        (await one.post(SNAPSHOTS, Name="x")).expect(201)
        await remove_all_media(server)
        assert files(tmp_path) == [sid]
        assert await server.rows("SELECT sid FROM media") == []

        (await one.post(f"{SNAPSHOTS}/x/Restore")).expect(200)
        assert await server.rows("SELECT sid, is_removed FROM media") == [(sid, 0)]

        await remove_all_media(server)
        assert (await one.delete(f"{SNAPSHOTS}/x")).status == 204
        assert files(tmp_path) == []

    in_server(tmp_path, scene)


async def remove_all_media(server: RestServer) -> None:
    """Remove all media, and run the job that removes their files."""
    store: Any = server.app.store
    await store.exclusively(lambda access: access.run("UPDATE media SET is_removed = 1"))
    while await server.rows("SELECT sid FROM media"):
        await server.app.scheduler.run_due()
