"""The commands of the page on virtual phones work in order, as the page describes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.resources.settings_setup import new_account_api
from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from tests.support.server import Server

PAGE = REPOSITORY / "docs" / "how-to" / "play-a-phone.md"


def test_the_blocks_of_the_page_run_in_order(server: Server) -> None:
    api = new_account_api(server)
    assert api.sid is not None
    assert api.token is not None
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 8
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PARLOUR_URL": api.base_url,
            "ACCOUNT_SID": api.sid,
            "AUTH_TOKEN": api.token,
            "LC_ALL": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    api.close()
    assert result.returncode == 0, result.stderr
    assert re.search(r"SM\w{32}  conversation  CH\w{32}\n", result.stdout)
    assert "-> +15005550006  Where is my parcel?  (conversation)" in result.stdout
    assert "<- +15005550006  It arrives tomorrow." in result.stdout
    assert "<- +15558675311  Hello all  (group of 3)" in result.stdout
    assert "<- +15005550007  Hello both  (group of 3)" in result.stdout
    assert "<- whatsapp:+15005550006  Order 4711 is on its way." in result.stdout
    assert "<- whatsapp:+15005550006  Too early" not in result.stdout
    assert "\nundelivered 63016\n" in result.stdout
    assert "-> +15005550006  STOP  (opted_out)" in result.stdout
    assert "\nfailed 21610\n" in result.stdout
    assert '"complete":true' in result.stdout
    assert re.search(r"behaviour=undeliverable  error_code=30005", result.stdout)
    assert re.search(r"behaviour=deliver  .*delay_ms=2000", result.stdout)
