"""Programs with a fixed base URL, directed to the server by name resolution, over TLS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract import test_every_operation_npm as by_node
from tests.support.nodejs import install_packages, node_command
from tests.support.tls_server import HOSTED, TlsServer

if TYPE_CHECKING:
    from collections.abc import Iterator

# It runs Node.js, like others; one process should do it.
pytestmark = pytest.mark.xdist_group("npm-client")

installed_node_packages = by_node.installed_node_packages

HERE = Path(__file__).parent
REALTIME = HERE / "realtime"
SECONDS_MAX = 60


@pytest.fixture(scope="module")
def tls_server() -> Iterator[TlsServer]:
    with TlsServer() as running:
        yield running


def _ran(
    server: TlsServer, command: list[str], trusted: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    settings = {
        "PORT": str(server.port),
        "ACCOUNT_SID": server.account_sid,
        "AUTH_TOKEN": server.auth_token,
    }
    inherited = {k: v for k, v in os.environ.items() if k != "REQUESTS_CA_BUNDLE"}
    return subprocess.run(
        command,
        cwd=HERE / "node",
        env=inherited | settings | trusted,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def _python() -> list[str]:
    folder = HERE / "unmodified"
    return [sys.executable, str(folder / "resolved.py"), str(folder / "program.py")]


def _node() -> list[str]:
    preload = str(HERE / "unmodified" / "resolved.cjs")
    return [*node_command(), "--require", preload, "unchanged_program.mjs"]


def _is_as_hosted(server: TlsServer, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    assert seen["bodies"] == [f"message {number}" for number in range(5)]
    assert seen["account_sid"] == server.account_sid
    # The URLs in responses have the host that the program uses.
    assert seen["url"].startswith(f"https://{HOSTED}/v1/Conversations/CH")
    assert seen["template"].startswith("https://content.twilio.com/v1/Content/HX")


def test_python_program_works_by_name_resolution(tls_server: TlsServer) -> None:
    done = _ran(tls_server, _python(), {"REQUESTS_CA_BUNDLE": tls_server.authority})
    _is_as_hosted(tls_server, done)


def test_node_program_works_by_name_resolution(
    tls_server: TlsServer, installed_node_packages: None
) -> None:
    done = _ran(tls_server, _node(), {"NODE_EXTRA_CA_CERTS": tls_server.authority})
    _is_as_hosted(tls_server, done)


def _client_sdk() -> list[str]:
    preload = str(HERE / "unmodified" / "resolved.cjs")
    return [*node_command(), "--require", preload, str(HERE / "unmodified" / "chat.mjs")]


def test_client_sdk_program_works_by_name_resolution(tls_server: TlsServer) -> None:
    install_packages(REALTIME)
    settings = {
        "NODE_EXTRA_CA_CERTS": tls_server.authority,
        "TOKEN": tls_server.make_token("alice"),
        "SDK_FOLDER": str(REALTIME),
    }
    done = _ran(tls_server, _client_sdk(), settings)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    assert (seen["body"], seen["author"], seen["content"]) == ("hello", "alice", "a medium")
    # It was given the socket's name only: media are fetched from there as well.
    assert seen["mediaUrl"].startswith("https://tsock.us1.twilio.com/")


@pytest.mark.parametrize("command", [_python, _node])
def test_program_without_the_authority_sends_nothing(
    tls_server: TlsServer, installed_node_packages: None, command: Any
) -> None:
    done = _ran(tls_server, command(), {})
    assert done.returncode != 0
    assert "certificate" in done.stderr
    assert tls_server.auth_token not in tls_server.log_path.read_text()
