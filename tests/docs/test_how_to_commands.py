"""The blocks of the page on commands of test mode work in order, as the page describes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.server import REPOSITORY, Server
from tests.testmode.command_runs import EMBEDDED, NO_ACCOUNT

PAGE = REPOSITORY / "docs" / "how-to" / "test-from-the-command-line.md"


def test_the_blocks_of_the_page_run_in_order(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    with Server(tmp_path / "data", NO_ACCOUNT | EMBEDDED, args=("--test",)) as server:
        ready = server.ready()
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "PARLOUR_URL": ready["url"],
                "PARLOUR_ACCOUNT_SID": ready["account_sid"],
                "PARLOUR_AUTH_TOKEN": ready["auth_token"],
                "LC_ALL": "C.UTF-8",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert result.returncode == 0, result.stderr
    assert '"friendly_name":"Order"' in result.stdout
    assert "\n2100-01-05T09:10:00.000Z  timers  1\n" in result.stdout
    assert "\n2100-01-07T00:00:00.000Z  frozen" in result.stdout
    assert result.stdout.count("\nonMessageAdded  event ") == 2
    assert re.search(r"\nonDeliveryUpdated  event \d+\n", result.stdout)
    assert re.search(r"\nCH\w{32}\n", result.stdout)
    assert re.search(r"\nFA\w{32}  request  matched 0, fired 0, 2 left\n", result.stdout)
    assert re.search(r"IM\w{32}  API  Where is my parcel\?\n", result.stdout)
    assert re.search(r"\n +4 onMessageAdded\n", result.stdout)
    assert "\nshop.yaml is valid.\n" in result.stdout
    assert re.search(r"\nCH\w{32}  conversations\.order\n", result.stdout)
    assert json.loads((tmp_path / "shop.json").read_text())["parlour"] == 1
    assert re.search(r"  201  POST    /v1/Conversations  \d", result.stdout)
    assert result.stdout.count("\nbefore  account  ") == 3
    assert result.stdout.endswith("\nReset the account.\n")
