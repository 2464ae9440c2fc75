"""The README's first five minutes work: its curl, Python and Node.js blocks run."""

from __future__ import annotations

import os
import re
import shlex
import string
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.contract import test_every_operation_npm as by_node
from tests.support.client import FORM_TYPE, Api, ApiResponse, encode
from tests.support.nodejs import node_command
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

# It runs Node.js, like others; one process should do it.
pytestmark = pytest.mark.xdist_group("npm-client")

installed_node_packages = by_node.installed_node_packages

HERE = Path(__file__).parent
README = (HERE.parents[1] / "README.md").read_text(encoding="utf-8")
WRITTEN_URL = "http://127.0.0.1:8080"
SECONDS_MAX = 60

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    """Return the README's blocks of a language."""
    return [text for name, text in _BLOCK.findall(README) if name == language]


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server on which the README's names are unused."""
    with Server() as running:
        yield running


def curl(command: list[str], server: Server) -> ApiResponse:
    """Do the request of a curl command line; curl need not be installed."""
    words = iter(command[1:])
    method, url, user = "", "", ""
    headers: dict[str, str] = {}
    form: list[tuple[str, str]] = []
    for word in words:
        if word == "-u":
            user = next(words)
        elif word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word in {"-d", "--data-urlencode"}:
            name, _, value = next(words).partition("=")
            form.append((name, value))
        else:
            assert not word.startswith("-"), f"the test does not know {word}"
            url = word
    assert url.startswith(server.base_url)
    api = Api(server.base_url, *user.split(":"))
    body = encode(dict(form)).encode() if form else None
    kind = {"Content-Type": FORM_TYPE} if form else {}
    method = method or ("POST" if form else "GET")
    try:
        return api.request(method, urlsplit(url).path, body=body, headers={**kind, **headers})
    finally:
        api.close()


def commands(server: Server) -> Iterator[list[str]]:
    """Yield each curl command of the first five minutes, with its variables filled in."""
    values = {
        "PARLOUR_URL": server.base_url,
        "ACCOUNT_SID": server.account_sid,
        "AUTH_TOKEN": server.auth_token,
    }
    for block in blocks("sh"):
        for text in block.replace("\\\n", " ").split("\n"):
            if text.startswith("curl -u"):
                yield shlex.split(string.Template(text).substitute(values))


def test_curl_commands_of_the_first_five_minutes_succeed(own_server: Server) -> None:
    answers = [curl(command, own_server) for command in commands(own_server)]

    assert [answer.status for answer in answers] == [201, 201, 200, 201, 200, 201, 201]
    updated = answers[2].json
    assert updated["attributes"] == '{"seat": "2A"}'
    assert updated["date_created"] == "2023-05-04T09:42:00Z"
    assert updated["date_updated"] == "2025-05-04T09:42:00Z"
    assert [message["body"] for message in answers[4].json["messages"]] == ["Hello"]


def test_update_survives_a_kill(own_server: Server) -> None:
    path = "/v1/Conversations/order-4712/Participants"
    api = Api(own_server.base_url, own_server.account_sid, own_server.auth_token)
    api.post("/Conversations", UniqueName="order-4712").expect(201)
    api.post("/Conversations/order-4712/Participants", Identity="alice").expect(201)
    update = next(each for each in commands(own_server) if "X-Twilio-Webhook-Enabled: true" in each)
    there = [word.replace("order-4711", "order-4712") for word in update]
    updated = curl(there, own_server).expect(200)

    own_server.kill()
    own_server.start()

    answer = api.request("GET", f"{path}/alice")
    assert answer.expect(200) == updated
    api.close()


def _run(command: list[str], text: str, server: Server) -> str:
    done = subprocess.run(
        command,
        input=text.replace(WRITTEN_URL, server.base_url),
        cwd=HERE / "node",
        env={**os.environ, "SID": server.account_sid, "TOKEN": server.auth_token},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_block_runs(own_server: Server) -> None:
    (block,) = blocks("python")
    known = "import os\naccount_sid, auth_token = os.environ['SID'], os.environ['TOKEN']\n"

    assert _run([sys.executable, "-"], known + block, own_server) == "['alice']\n"


def test_node_block_runs(own_server: Server, installed_node_packages: None) -> None:
    (block,) = blocks("js")
    known = "const { SID: accountSid, TOKEN: authToken } = process.env;\n"
    shown = "\nconsole.log((await participants(alice.sid).fetch()).attributes);\n"

    out = _run([*node_command(), "--input-type=module"], known + block + shown, own_server)

    assert out == '{"seat": "2A"}\n'
