"""`kill -9` during uploads and removals: no row without its file, no orphaned file."""

from __future__ import annotations

import os
import random
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary.crash_points import BLOB_STORED, FILE_REMOVED, MEDIA_COMMITTED
from tests.crash.media_kill_run import (
    LAUNCH,
    NORMAL,
    SOON,
    MediaKillRun,
    differences,
    files_of,
    media_client_of,
    rows_of,
    unsettled_of,
)
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.resources.media_setup import MediaClient

KILLS = max(8, int(os.environ.get("PARLOUR_KILLS", "25")) // 5)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[MediaKillRun]:
    """A server on a separate folder, with a seed that a failure prints."""
    seed = int(os.environ.get("PARLOUR_SEED", random.getrandbits(32)))
    print(f"seed {seed}")
    server = Server(tmp_path / "data", env=NORMAL, program=(LAUNCH,))
    yield MediaKillRun(server, seed)
    server.kill()


def upload(media_client: MediaClient) -> None:
    media_client.upload(b"cut off").expect(201)


@pytest.mark.timeout(120 + KILLS * 6)
def test_kills_leave_no_row_without_its_file_and_no_orphaned_file(run: MediaKillRun) -> None:
    run.kill_at_random(KILLS)
    assert not run.found, run.found[:5]
    # The run proves something only with enough uploads, and with kills during them.
    assert len(run.uploaders.acknowledged) > KILLS * 3
    assert run.uploaders.unanswered > KILLS


def test_file_without_a_committed_row_is_removed(run: MediaKillRun) -> None:
    run.crash_at(BLOB_STORED, upload)
    assert rows_of(run.server) == {}
    assert len(files_of(run.server)) == len(unsettled_of(run.server)) == 1
    assert differences(run.server, {}) == []
    # Not before its deadline: another process may be about to commit the row.
    run.server.start()
    assert len(files_of(run.server)) == 1
    run.server.kill()
    run.must_become_clean()


def test_file_with_a_committed_row_is_retained(run: MediaKillRun) -> None:
    run.crash_at(MEDIA_COMMITTED, upload)
    [sid] = rows_of(run.server)
    assert unsettled_of(run.server) == {sid}
    assert differences(run.server, {}) == []
    run.server.start()
    media_client = media_client_of(run.server)
    assert media_client.content(sid).body == b"cut off"
    with closing(Api(run.server.base_url, run.server.account_sid, run.server.auth_token)) as api:
        conversation_sid = api.post("/Conversations").expect(201)["sid"]
        api.post(f"/Conversations/{conversation_sid}/Messages", MediaSid=sid).expect(201)
    run.server.kill()
    run.server._env["LIMITS"] = SOON
    run.server.start()
    eventually(lambda: unsettled_of(run.server), lambda left: not left)
    assert media_client.content(sid).body == b"cut off"


def test_row_of_a_removed_file_is_removed(run: MediaKillRun) -> None:
    def remove(media_client: MediaClient) -> None:
        sid = media_client.add()["sid"]
        with closing(
            Api(run.server.base_url, run.server.account_sid, run.server.auth_token)
        ) as api:
            conversation_sid = api.post("/Conversations").expect(201)["sid"]
            path = f"/Conversations/{conversation_sid}/Messages"
            message = api.post(path, MediaSid=sid).expect(201)["sid"]
            api.delete(f"{path}/{message}").expect(204)

    run.crash_at(FILE_REMOVED, remove)
    assert files_of(run.server) == {}
    assert [removed for _, removed in rows_of(run.server).values()] == [1]
    assert differences(run.server, {}) == []
    run.server.start()
    eventually(lambda: rows_of(run.server), lambda left: not left)
