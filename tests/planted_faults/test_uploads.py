"""The upload tests report faults: files that run in a browser, media buffered in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.resources.test_media_transfer import (
    GROWTH_BYTES_MAX,
    growth_with_the_largest,
)
from tests.resources.test_media_transfer import LAUNCH as LAUNCH_WITH_LIMITS
from tests.security.test_uploads import FILES
from tests.security.test_uploads_in_browser import ran
from tests.support.server import Server

LAUNCH = str(Path(__file__).with_name("launch_media_without_protection.py"))


@pytest.mark.timeout(180)
def test_files_without_protective_headers_run(tmp_path: Path) -> None:
    with Server(program=(LAUNCH,)) as server:
        output = ran(server, tmp_path)
    why = {FILES[int(each.split()[1])]["why"] for each in output if each.startswith("file")}
    assert {"a page", "XHTML", "a drawing with a script", "a script"} <= why


def test_server_that_buffers_whole_media_is_reported(tmp_path: Path) -> None:
    whole = {"LIMITS": "BLOB_PIECE_BYTES=1000000000", "PARLOUR_BUFFER_BYTES_MAX": "1000000000"}
    with Server(tmp_path / "data", env=whole, program=(LAUNCH_WITH_LIMITS,)) as server:
        coming, going = growth_with_the_largest(server)
    assert min(coming, going) > GROWTH_BYTES_MAX
