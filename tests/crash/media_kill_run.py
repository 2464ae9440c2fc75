"""Kills of the server during uploads, and a check of media on disk and in the database."""

from __future__ import annotations

import hashlib
import http.client
import random
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.resources.media_setup import MediaClient
from tests.support.background_threads import BackgroundThreads
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.resources.media_setup import Medium
    from tests.support.server import Server

LAUNCH = str(Path(__file__).parents[1] / "resources" / "launch_with_limits.py")
NORMAL = {"LIMITS": ""}
SOON = "MEDIA_UNATTACHED_MS=1 MEDIA_SWEEP_PAUSE_MS=50 MEDIA_ORPHAN_MS=50"
UPLOADERS = 6
SIZES = (0, 10, 40_000, 700_000)
SECONDS_BETWEEN_KILLS = (0.1, 0.6)
NAMED_CRASH_SECONDS_MAX = 20.0
CLEAN_SECONDS_MAX = 20.0


def media_client_of(server: Server) -> MediaClient:
    """Return the media client of the account's default service."""
    with closing(Api(server.base_url, server.account_sid, server.auth_token)) as api:
        sid = api.get("/Configuration").expect(200)["default_chat_service_sid"]
        return MediaClient.of_account(server, api, sid)


class Uploaders(BackgroundThreads):
    """Threads that upload continuously, also while the server is down."""

    def __init__(self, media_client: MediaClient) -> None:
        super().__init__(*((number,) for number in range(UPLOADERS)))
        self.media_client = media_client
        self.acknowledged: dict[str, str] = {}
        """The digest of each medium with an acknowledged upload."""
        self.unanswered = 0

    def _run(self, number: int) -> None:
        rng = random.Random(number)
        while not self._stop.is_set():
            content = rng.randbytes(rng.choice(SIZES))
            try:
                made: Medium = self.media_client.upload(content, "application/x-thing").expect(201)
            except (OSError, http.client.HTTPException):
                self.unanswered += 1
                time.sleep(0.02)
                continue
            self.acknowledged[made["sid"]] = hashlib.sha256(content).hexdigest()


def differences(server: Server, acknowledged: Mapping[str, str]) -> list[str]:
    """Return all violations in the media of a server after a kill or a start."""
    rows = rows_of(server)
    files, unsettled = files_of(server), unsettled_of(server)
    found = [f"{sid}: acknowledged, and no row" for sid in acknowledged if sid not in rows]
    for sid, (size, is_removed) in rows.items():
        if is_removed:
            continue
        if sid not in files:
            found.append(f"{sid}: a row without a file")
        elif files[sid].stat().st_size != size:
            found.append(f"{sid}: not as long as its row says")
    for sid, digest in acknowledged.items():
        if sid in files and hashlib.sha256(files[sid].read_bytes()).hexdigest() != digest:
            found.append(f"{sid}: not the bytes that were sent")
    unreferenced = set(files) - set(rows) - unsettled
    found += [f"{sid}: an unreferenced file" for sid in unreferenced]
    return found


def rows_of(server: Server) -> dict[str, tuple[int, int]]:
    with closing(connect(server)) as connection:
        query = "SELECT sid, size, is_removed FROM media"
        return {sid: (size, removed) for sid, size, removed in connection.execute(query)}


def files_of(server: Server) -> dict[str, Path]:
    found = (server.data_dir / "media").glob("AC*/*/*")
    return {path.name: path for path in found}


def unsettled_of(server: Server) -> set[str]:
    return {path.name.split(".")[1] for path in (server.data_dir / "media/incoming").iterdir()}


def is_clean(server: Server) -> bool:
    """Return whether all rows and files of media have been removed."""
    return not (rows_of(server) or files_of(server) or unsettled_of(server))


class MediaKillRun:
    """A server that receives media and is killed repeatedly."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.rng = random.Random(seed)
        self.uploaders: Uploaders
        self.found: list[str] = []

    def kill_at_random(self, kills: int) -> None:
        """Kill during uploads; ``found`` collects the violations."""
        with self.server.start():
            self.uploaders = Uploaders(media_client_of(self.server))
            self.uploaders.start()
            try:
                for _ in range(kills):
                    time.sleep(self.rng.uniform(*SECONDS_BETWEEN_KILLS))
                    self.server.kill()
                    self.server.start()
            finally:
                self.uploaders.stop()
            self.server.kill()
            self.found = differences(self.server, self.uploaders.acknowledged)
            self.must_become_clean()

    def must_become_clean(self) -> None:
        """With a short timeout, all media without a message are removed."""
        self.server._env["LIMITS"] = SOON
        self.server.start()
        eventually(lambda: is_clean(self.server), bool, seconds=CLEAN_SECONDS_MAX)

    def crash_at(self, name: str, do: Any) -> None:
        """Let the server crash at a named point, which ``do(media_client)`` reaches."""
        self.server._env["PARLOUR_CRASH_AT"] = name
        self.server.start()
        with suppress(OSError, http.client.HTTPException):  # It crashes before its response.
            do(media_client_of(self.server))
        process = self.server.process
        assert process is not None
        assert process.wait(NAMED_CRASH_SECONDS_MAX) == -9
        self.server.kill()
        del self.server._env["PARLOUR_CRASH_AT"]
