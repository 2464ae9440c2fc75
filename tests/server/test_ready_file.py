"""The ready file contains the server's address and login, and exists only while it serves."""

from __future__ import annotations

import socket
import stat
from typing import TYPE_CHECKING

import pytest

from parlour import __version__
from tests.support.client import Api
from tests.support.server import Server, ServerError
from tests.support.tls_server import TlsServer

if TYPE_CHECKING:
    from pathlib import Path

KEYS = [
    "url", "ws_url", "port", "pid", "version", "account_sid", "auth_token", "api_key_sid",
    "api_key_secret", "service_sid",
]  # fmt: skip
ANY_PORT = ("--port", "0")


def test_ready_file_names_the_port_that_port_0_got_and_the_account_of_the_settings() -> None:
    key = {"PARLOUR_API_KEY_SID": "SK" + "0" * 31 + "1", "PARLOUR_API_KEY_SECRET": "of-the-key"}
    with Server(env=key, args=ANY_PORT) as server:
        ready = server.ready()
        assert list(ready) == KEYS
        assert ready["port"] not in {0, server.port}
        assert ready["url"] == f"http://127.0.0.1:{ready['port']}"
        assert ready["ws_url"] == f"ws://127.0.0.1:{ready['port']}/v3/wsconnect"
        assert (ready["pid"], ready["version"]) == (server.pid, __version__)
        by_token = Api(ready["url"], ready["account_sid"], ready["auth_token"])
        configuration = by_token.get("/Configuration").expect(200)
        assert ready["service_sid"] == configuration["default_chat_service_sid"]
        by_key = by_token.signed(ready["api_key_sid"], ready["api_key_secret"])
        assert by_key.get("/Configuration").expect(200) == configuration
        assert stat.S_IMODE(server.ready_path.stat().st_mode) == 0o600
        assert [each.name for each in server.ready_path.parent.glob("*.ready.json*")] == [
            server.ready_path.name
        ]


def test_ready_file_has_the_secret_of_an_account_only_at_the_start_that_made_it() -> None:
    with Server(env={"PARLOUR_ACCOUNT_SID": "", "PARLOUR_AUTH_TOKEN": ""}) as server:
        first = server.ready()
        assert (first["api_key_sid"], first["api_key_secret"]) == (None, None)
        api = Api(first["url"], first["account_sid"], first["auth_token"])
        configuration = api.get("/Configuration").expect(200)
        assert first["service_sid"] == configuration["default_chat_service_sid"]
        server.restart()
        second = server.ready()
        assert second["pid"] != first["pid"]
        assert {second[name] for name in KEYS[5:]} == {None}


def test_a_failed_start_removes_the_ready_file_of_an_earlier_run(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    settings = {"PARLOUR_READY_FILE": str(path)}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        path.write_text("{}")
        server = Server(env=settings, args=("--port", str(taken.getsockname()[1])))
        with pytest.raises(ServerError, match="in use"):
            server.start()
        server.close()
    assert list(tmp_path.iterdir()) == []


def test_ready_file_in_a_missing_folder_is_refused_before_the_start(tmp_path: Path) -> None:
    settings = {"PARLOUR_READY_FILE": str(tmp_path / "none" / "ready.json")}
    server = Server(env=settings)
    with pytest.raises(ServerError, match="ready file cannot be written") as refusal:
        server.start()
    server.close()
    assert "Traceback" not in str(refusal.value)


def test_ready_file_gives_the_public_url() -> None:
    with Server(args=("--public-url", "https://chat.example.net/")) as server:
        ready = server.ready()
        assert ready["url"] == "https://chat.example.net"
        assert ready["ws_url"] == "wss://chat.example.net/v3/wsconnect"
        assert ready["port"] == server.port


def test_ready_file_of_a_server_with_tls_gives_https_and_wss() -> None:
    with TlsServer() as server:
        ready = server.ready()
        assert ready["url"] == server.base_url
        assert ready["ws_url"] == f"wss://127.0.0.1:{server.port}/v3/wsconnect"
