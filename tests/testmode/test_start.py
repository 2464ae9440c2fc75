"""The start in test mode: its account, its data folder, its end, and what it refuses."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parlour.http.testmode_paths import TEST_NAMES
from parlour.store.folder_mark import MARK_NAME
from parlour.testmode.table import declared_operations
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.preloaded_servers import template
from tests.support.server import REPOSITORY, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

EMBEDDED = {"PARLOUR_DATABASE": ""}
NO_ACCOUNT = {"PARLOUR_ACCOUNT_SID": "", "PARLOUR_AUTH_TOKEN": ""}
SECONDS_MAX = 30
TOKEN, SECRET = "parlour-test-auth-token", "parlour-test-api-key-secret"
WITHOUT_TEST = """
import asyncio, sys, tempfile
from pathlib import Path
from parlour.app import open_app
from parlour.cli import main, serve
from parlour.config import Settings

async def start_and_stop():
    app = await open_app(Settings(data=Path(tempfile.mkdtemp())))
    await app.start()
    app.connections()
    await app.stop()

asyncio.run(start_and_stop())
print([name for name in sys.modules if name.startswith("parlour.testmode")])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in test mode, with a separate data folder."""
    data = tmp_path_factory.mktemp("testmode") / "data"
    with Server(data, NO_ACCOUNT | EMBEDDED, args=("--test",)) as running:
        yield running


@pytest.fixture(scope="module")
def plain() -> Iterator[Server]:
    """A server without test mode."""
    with Server(env=EMBEDDED) as running:
        yield running


def _api(server: Server) -> Api:
    return Api(server.base_url, server.account_sid, server.auth_token)


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `parlour serve` that cannot start."""
    own = {"PYTHONPATH": str(REPOSITORY / "src"), **environment}
    return template().run(["serve", *arguments], own, Path("/"), SECONDS_MAX)


def test_the_first_account_is_always_the_same(server: Server) -> None:
    ready = server.ready()

    assert ready["account_sid"] == "AC" + "0" * 32
    assert ready["auth_token"] == TOKEN
    assert ready["api_key_sid"] == "SK" + "0" * 32
    assert ready["api_key_secret"] == SECRET
    for login, secret in (
        (ready["account_sid"], TOKEN),
        (ready["api_key_sid"], SECRET),
    ):
        api = Api(ready["url"], ready["account_sid"], TOKEN).signed(login, secret)
        found = api.get("/Configuration").expect(200)
        assert found["default_chat_service_sid"] == ready["service_sid"]


def test_the_start_warns_that_data_can_be_wiped(server: Server) -> None:
    log = server.log_path.read_text()

    assert "Test mode: data can be wiped by anybody with an account's auth token.\n" in log


def test_the_start_prints_the_line_that_the_manual_runs_in_a_shell(server: Server) -> None:
    sid, log = "AC" + "0" * 32, server.log_path.read_text()

    line = f"export PARLOUR_URL={server.ready()['url']} ACCOUNT_SID={sid} AUTH_TOKEN={TOKEN}\n"
    assert line in log


def test_the_server_describes_itself(server: Server, plain: Server) -> None:
    ready = server.ready()
    api = Api(ready["url"], ready["account_sid"], TOKEN)

    found = api.get("/parlour/v1/Server").expect(200)

    assert list(found) == ["version", "engine", "test", "started", "url", "ws_url", "features"]
    assert (found["test"], found["engine"]) == (True, "sqlite")
    assert (found["url"], found["ws_url"]) == (ready["url"], ready["ws_url"])
    assert {"Server", "WebhookAttempts"} <= set(found["features"])
    without = _api(plain).get("/parlour/v1/Server").expect(200)
    assert without["test"] is False
    assert set(without["features"]).isdisjoint(TEST_NAMES)


def test_each_test_function_is_not_found_without_test_mode(plain: Server) -> None:
    for name in sorted(TEST_NAMES):
        for path in (f"/parlour/v1/{name}", f"/parlour/v1/{name}/X", f"/parlour/v1/{name}/X/Y"):
            for method in ("GET", "POST", "DELETE"):
                answer = _api(plain)._send(method, path, {}, {})
                assert answer.status == 404, path
                assert answer.json["code"] == 20404
                assert answer.json["message"] == (
                    "Test functions are off: start the server with --test."
                )


def test_the_names_of_test_functions_are_those_that_are_declared() -> None:
    declared = {each.path.split("/")[3] for each in declared_operations()}

    assert declared <= TEST_NAMES
    assert all(each.spec.on_server or each.has_endpoint for each in declared_operations())
    assert not any(each.listed for each in declared_operations())


def test_a_server_without_test_mode_imports_none_of_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TEST],
        env={"PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=True,
    )

    assert done.stdout == "[]\n"


# --- The data folder ------------------------------------------------------------------------------


def test_a_marked_folder_is_for_test_mode_only(server: Server) -> None:
    assert (server.data_dir / MARK_NAME).is_file()
    server.stop()
    refused = _run("--data", str(server.data_dir), "--port", "0")
    assert refused.returncode == 1
    assert "has the data of test mode" in refused.stderr
    server.start()
    assert server.ready()["account_sid"] == "AC" + "0" * 32


def test_another_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "something").write_text("else")

    refused = _run("--test", "--data", str(tmp_path), "--port", "0")

    assert refused.returncode == 1
    assert "test mode deletes data" in refused.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["something"]


def test_without_a_folder_the_data_are_temporary_and_the_end_of_the_parent_is_the_end(
    tmp_path: Path,
) -> None:
    ready_file = tmp_path / "ready.json"
    command = [sys.executable, "-m", "parlour", "serve", "--test", "--port", "0"]
    with subprocess.Popen(
        [*command, "--ready-file", str(ready_file), "--exit-with-parent"],
        env={"PYTHONPATH": str(REPOSITORY / "src"), "TMPDIR": str(tmp_path)},
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        eventually(ready_file.exists, bool, seconds=SECONDS_MAX)
        ready: dict[str, Any] = json.loads(ready_file.read_text())
        assert [each.name for each in tmp_path.glob("parlour-test-*/*.sqlite3")]
        assert process.stdin is not None
        process.stdin.write("what the parent writes is ignored\n")
        process.stdin.flush()
        assert Api(ready["url"], ready["account_sid"], TOKEN).get("/Services").status == 200
        process.stdin.close()
        assert process.wait(SECONDS_MAX) == 0
    assert list(tmp_path.iterdir()) == []


# --- Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--database", "postgresql://localhost/x"), "--database (PARLOUR_DATABASE) cannot be"),
        (("--redis", "redis://localhost"), "--redis (PARLOUR_REDIS) cannot be combined"),
        (("--workers", "2"), "--workers (PARLOUR_WORKERS) cannot be combined with --test"),
        (("--tls-cert", "c.pem", "--tls-key", "k.pem"), "--tls-cert (PARLOUR_TLS_CERT) cannot be"),
        (("--public-url", "https://chat.example.net"), "must be on loopback with --test"),
        (("--exit-with-parent",), "needs a pipe as the standard input"),
    ],
)
def test_what_test_mode_cannot_be_combined_with(arguments: tuple[str, ...], text: str) -> None:
    refused = _run("--test", "--port", "0", *arguments)

    assert refused.returncode == 2
    assert text in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--seed", "shop.yaml"),
        ("--export-on-exit", "shop.yaml"),
        ("--random-seed", "7"),
        ("--strict",),
        ("--open-accounts",),
        ("--allow-origin", "https://shop.example.net"),
    ],
)
def test_what_needs_test_mode(arguments: tuple[str, ...]) -> None:
    refused = _run("--port", "0", *arguments)

    assert refused.returncode == 2
    assert "needs --test (PARLOUR_TEST)" in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--account-sid", "AC" + "1" * 32, "--auth-token", TOKEN),
        (
            *("--account-sid", "AC" + "1" * 32, "--auth-token", "x"),
            *("--api-key-sid", "SK" + "1" * 32, "--api-key-secret", SECRET),
        ),
    ],
)
def test_the_well_known_credentials_are_refused_without_test_mode(
    arguments: tuple[str, ...],
) -> None:
    refused = _run("--port", "0", *arguments)

    assert refused.returncode == 2
    assert "is publicly known and accepted with --test only" in refused.stderr


# --- Browsers -------------------------------------------------------------------------------------


def _status(server: Server, path: str, **headers: str) -> int:
    """Return the status of a GET; only ``http.client`` sends Host and Connection as given."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS_MAX)
    try:
        connection.request(
            "GET", path, headers={name.replace("_", "-"): each for name, each in headers.items()}
        )
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_foreign_page_gets_403_from_rest_and_from_the_socket(
    server: Server, plain: Server
) -> None:
    elsewhere = {"Origin": "https://evil.example.net"}
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    rebound = {"Host": "rebound.example.net", "Origin": "http://rebound.example.net"}

    for headers in (elsewhere, rebound):
        for path in ("/v1/Services", "/healthz"):
            assert _status(server, path, **headers) == 403
        assert _status(server, "/v3/wsconnect", **headers, **upgrade) == 403
        assert _status(plain, "/healthz", **headers) == 200
        assert _status(plain, "/v3/wsconnect", **headers, **upgrade) == 101
    local = {"Origin": "http://localhost:3000"}
    assert _status(server, "/healthz", **local) == 200
    assert _status(server, "/v3/wsconnect", **local, **upgrade) == 101
