"""The client SDK's bundle in headless Chromium, and the README's program, as published."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contract.sdk_runner import HERE, ProgramRun, settings_for
from tests.support.nodejs import install_packages, node_command
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("sdk-browser")

BROWSER_SECONDS_MAX = 150
CHECKS_MIN = 40
README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
PROGRAM_SECONDS_MAX = 30.0


def test_a_page_of_another_origin_works_in_chromium(server: Server) -> None:
    run = ProgramRun(["browser.mjs"], settings_for(server, "3.0.1"), BROWSER_SECONDS_MAX)
    assert run.failed("browser") == []
    assert len(run.checks["browser"]) >= CHECKS_MIN


def test_program_of_the_readme_works(server: Server, api: Api) -> None:
    install_packages(HERE)
    (program,) = re.findall(r"^```javascript\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    made = api.under("/parlour/v1").post("/Tokens", Identity="reader").expect(201)
    program = program.replace('"@twilio/conversations"', '"conversations-3.0"')
    program = program.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
    text = f"const token = {made['token']!r};\n{program}"
    # It continues to listen after its output.
    running = subprocess.Popen([*node_command(), "--input-type=module", "-e", text], cwd=HERE)
    try:
        bodies = eventually(lambda: messages_of(api, "reader"), bool, seconds=PROGRAM_SECONDS_MAX)
    finally:
        running.kill()
        running.wait()
    assert bodies == {"Order 4714": ["Hello from a client"]}


def messages_of(api: Api, identity: str) -> dict[str, list[str]]:
    """Return the messages in the conversations of a user, by conversation name."""
    found = api.get(f"/Users/{identity}/Conversations")
    bodies_by_name = {}
    for each in found.json.get("conversations", ()):
        path = f"/Conversations/{each['conversation_sid']}/Messages"
        messages = api.get(path).expect(200)["messages"]
        if messages:
            bodies_by_name[each["friendly_name"]] = [message["body"] for message in messages]
    return bodies_by_name
