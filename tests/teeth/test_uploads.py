"""The test of hostile files in a browser bites: handed out without care, they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.security.test_uploads import FILES
from tests.security.test_uploads_in_browser import ran
from tests.support.server import Server

LAUNCH = str(Path(__file__).with_name("launch_media_without_care.py"))


@pytest.mark.timeout(180)
def test_files_that_are_handed_out_without_care_run(tmp_path: Path) -> None:
    with Server(program=(LAUNCH,)) as server:
        heard = ran(server, tmp_path)
    why = {FILES[int(each.split()[1])]["why"] for each in heard if each.startswith("file")}
    assert {"a page", "XHTML", "a drawing with a script", "a script"} <= why
