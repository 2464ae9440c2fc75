"""A long-lived snapshot of the embedded database in another process does not slow down writers."""

from __future__ import annotations

import sqlite3
import statistics
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from parlour.vocabulary import limits
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.timeout(300), pytest.mark.gate, pytest.mark.xdist_group("nodes")]

WRITERS = 4
BODY = "x" * 16_000
WARM_UP_SECONDS, SLICE_SECONDS, SLICES = 5.0, 5.0, 4
RATIO_MIN = 0.8
TRUNCATED_SECONDS_MAX = 60.0


class _Writers:
    """Clients that create messages until the end, with a count."""

    def __init__(self, server: Server) -> None:
        self.created = [0] * WRITERS
        self._server = server
        self._over = threading.Event()
        api = Api(server.base_url, server.account_sid, server.auth_token)
        self.path = f"/Conversations/{api.post('/Conversations').expect(201)['sid']}/Messages"
        api.close()
        targets = [(self._run, (number,)) for number in range(WRITERS)]
        self._threads = [threading.Thread(target=run, args=args) for run, args in targets]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        api = Api(self._server.base_url, self._server.account_sid, self._server.auth_token)
        while not self._over.is_set():
            api.post(self.path, Body=BODY).expect(201)
            self.created[number] += 1
        api.close()

    def rates(self, slices: int) -> Iterator[float]:
        """Yield changes per second for each slice of time."""
        for _ in range(slices):
            before, since = sum(self.created), time.monotonic()
            time.sleep(SLICE_SECONDS)
            yield (sum(self.created) - before) / (time.monotonic() - since)


def test_long_reader_slows_no_writer_and_the_log_is_truncated_afterwards(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", {"PARLOUR_REQUEST_LOG": "none"})
    database = server.data_dir / "parlour.sqlite3"
    log = Path(f"{database}-wal")
    alone: list[float] = []
    with server, _Writers(server) as writers:
        time.sleep(WARM_UP_SECONDS)
        alone.extend(writers.rates(SLICES))
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as reader:
            reader.execute("BEGIN")
            before = reader.execute("SELECT count(*) FROM message").fetchone()
            beside = list(writers.rates(SLICES))
            assert reader.execute("SELECT count(*) FROM message").fetchone() == before
            longest = log.stat().st_size
        alone.extend(writers.rates(1))
        eventually(
            lambda: log.stat().st_size,
            lambda size: size <= limits.WAL_BYTES_MAX,
            seconds=TRUNCATED_SECONDS_MAX,
        )
    print(f"alone {alone}, beside a reader {beside} changes/s; log of {longest} bytes")
    assert longest > limits.WAL_BYTES_MAX
    assert statistics.median(beside) >= RATIO_MIN * statistics.median(alone)
