"""The media kill harness reports each planted fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from parlour.vocabulary.crash_points import BLOB_STORED, MEDIA_COMMITTED
from tests.crash.media_kill_run import MediaKillRun, differences, files_of, media_client_of
from tests.support.server import Server

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("launcher", "point", "expected"),
    [
        ("launch_media_row_before_file.py", MEDIA_COMMITTED, "a row without a file"),
        ("launch_blob_settled_before_commit.py", BLOB_STORED, "an unreferenced file"),
    ],
)
def test_planted_fault_is_reported(
    tmp_path: Path, launcher: str, point: str, expected: str
) -> None:
    run = MediaKillRun(Server(tmp_path / "data", program=(str(HERE / launcher),)), seed=1)
    run.crash_at(point, lambda media_client: media_client.upload(b"cut off"))
    (found,) = differences(run.server, {})
    assert expected in found


def test_each_other_fault_is_reported(tmp_path: Path) -> None:
    run = MediaKillRun(Server(tmp_path / "data"), seed=1)
    with run.server.start():
        sid = media_client_of(run.server).add(b"whole")["sid"]
        files_of(run.server)[sid].write_bytes(b"other")
        assert differences(run.server, {sid: "0" * 64}) == [f"{sid}: not the bytes that were sent"]
        files_of(run.server)[sid].write_bytes(b"cut")
        assert differences(run.server, {}) == [f"{sid}: not as long as its row says"]
        never = "ME" + "0" * 32
        assert f"{never}: acknowledged, and no row" in differences(run.server, {never: ""})
