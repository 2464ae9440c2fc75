"""TLS of the server's port: the accepted files, and their renewal at runtime."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import stat
import time
from typing import TYPE_CHECKING

import pytest

from tests.attacks.probe import resident_bytes
from tests.support.client import FORM_TYPE, encode
from tests.support.server import Server, ServerError
from tests.support.tls_server import HOSTED, TlsServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEBIBYTE = 1 << 20
IDLE_CONNECTIONS = 40
HANDSHAKE = (
    b"GET /v3/wsconnect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
FILES = ("authority.pem", "authority.key", "server.pem", "server.key")


@pytest.fixture(scope="module")
def tls_server() -> Iterator[TlsServer]:
    with TlsServer() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an authority and a certificate."""
    server = Server()
    server.command("certificates", "--out", str(tmp_path / "made"), on_data=False)
    server.close()
    return tmp_path / "made"


def _hello(server: TlsServer, context: ssl.SSLContext, name: str = HOSTED) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    return context.wrap_socket(plain, server_hostname=name)


def _seen_serial(server: TlsServer) -> str:
    trusting = ssl.create_default_context(cafile=server.authority)
    with _hello(server, trusting) as connection:
        shown = connection.getpeercert()
    assert shown
    return str(shown["serialNumber"])


def _refused(certificate: Path, key: Path) -> str:
    """Return the error of `parlour serve` with these files; the process must exit."""
    server = Server(args=("--tls-cert", str(certificate), "--tls-key", str(key)))
    with pytest.raises(ServerError) as refusal:
        server.start()
    server.close()
    assert "Traceback" not in str(refusal.value)
    return str(refusal.value)


def test_the_server_negotiates_tls_1_3_and_http_1_1(tls_server: TlsServer) -> None:
    context = ssl.create_default_context(cafile=tls_server.authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with _hello(tls_server, context) as connection:
        assert connection.version() == "TLSv1.3"
        assert connection.selected_alpn_protocol() == "http/1.1"
    assert f"https://127.0.0.1:{tls_server.port}" in tls_server.log_path.read_text()


def test_tls_before_version_1_2_is_refused(tls_server: TlsServer) -> None:
    context = ssl.create_default_context(cafile=tls_server.authority)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _hello(tls_server, context)


def test_http_without_tls_gets_no_response(tls_server: TlsServer) -> None:
    with socket.create_connection(("127.0.0.1", tls_server.port), timeout=5) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1" not in plain.recv(4096)


def test_a_websocket_over_tls_leaves_nothing_in_the_log(tls_server: TlsServer) -> None:
    context = ssl.create_default_context(cafile=tls_server.authority)
    with _hello(tls_server, context) as connection:
        connection.sendall(HANDSHAKE)
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
    assert "Traceback" not in tls_server.log_path.read_text()


def test_large_responses_leave_no_memory_with_idle_connections(tls_server: TlsServer) -> None:
    path, login = large_list(tls_server)
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {login}\r\n\r\n"
    context = ssl.create_default_context(cafile=tls_server.authority)
    before = 0
    with contextlib.ExitStack() as stack:
        for number in range(2 + IDLE_CONNECTIONS):
            if number == 2:  # The server has sent such a response before.
                before = resident_bytes(tls_server.pid)
            idle = stack.enter_context(_hello(tls_server, context))
            assert len(_answer(idle, request.encode())) > MEBIBYTE // 2
        assert resident_bytes(tls_server.pid) - before < IDLE_CONNECTIONS * MEBIBYTE // 4


def _login(server: TlsServer) -> str:
    pair = f"{server.account_sid}:{server.auth_token}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def large_list(server: TlsServer) -> tuple[str, str]:
    """Create messages; return the path of a page larger than 512 KiB, and a login for it."""
    context = ssl.create_default_context(cafile=server.authority)
    headers = {"Authorization": _login(server), "Content-Type": FORM_TYPE}
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context)
    fields = encode({"Body": "b" * 1600, "Attributes": '{"a":"%s"}' % ("a" * 4000)})
    with contextlib.closing(connection):
        connection.request("POST", "/v1/Conversations", "", headers)
        made = json.loads(connection.getresponse().read())
        path = f"/v1/Conversations/{made['sid']}/Messages"
        for _ in range(100):
            connection.request("POST", path, fields, headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 201
    return f"{path}?PageSize=100", headers["Authorization"]


def _answer(connection: ssl.SSLSocket, request: bytes) -> bytes:
    """Return the body of a response."""
    connection.sendall(request)
    with connection.makefile("rb") as stream:
        length = 0
        while (line := stream.readline()) not in {b"\r\n", b""}:
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return stream.read(length)


def test_a_renewed_certificate_is_taken_at_a_signal() -> None:
    with TlsServer() as server:
        before = _seen_serial(server)
        server.make_certificates()
        assert _seen_serial(server) == before
        (server.folder / "server.pem").unlink()
        server.make_certificates()
        os.kill(server.pid, signal.SIGHUP)
        deadline = time.monotonic() + 5
        while (after := _seen_serial(server)) == before:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (server.folder / "server.pem").write_text("broken")
        os.kill(server.pid, signal.SIGHUP)
        while "certificate_reload_failed" not in server.log_path.read_text():
            assert time.monotonic() < deadline + 5
            time.sleep(0.02)
        assert _seen_serial(server) == after


def test_only_the_authority_is_readable_for_clients_and_files_are_reused(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    before = {name: (folder / name).read_bytes() for name in FILES}
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in FILES}
    assert modes == dict.fromkeys(FILES, 0o600) | {"authority.pem": 0o644}
    (folder / "authority.pem").chmod(0o600)  # As created by an earlier version.
    server = Server()
    server.command("certificates", "--out", str(folder), on_data=False)
    assert {name: (folder / name).read_bytes() for name in FILES} == before
    assert stat.S_IMODE((folder / "authority.pem").stat().st_mode) == 0o644
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    server.close()


def test_a_missing_or_broken_certificate_is_renewed_by_the_same_authority(folder: Path) -> None:
    authority = (folder / "authority.pem").read_bytes()
    (folder / "server.key").write_text("broken")
    server = Server()
    server.command("certificates", "--out", str(folder), on_data=False)
    assert (folder / "authority.pem").read_bytes() == authority
    assert b"PRIVATE KEY" in (folder / "server.key").read_bytes()
    server.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--name", "no name"), "is not a host name"),
        (("--name", "chat.example.net"), "was not made for all of these names"),
    ],
)
def test_invalid_names_are_reported(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    server = Server()
    with pytest.raises(ServerError, match=message):
        server.command("certificates", "--out", str(folder), *arguments, on_data=False)
    server.close()


def test_a_key_that_others_can_read_is_refused(folder: Path) -> None:
    key = folder / "server.key"
    for mode in (0o604, 0o640, 0o620):
        key.chmod(mode)
        assert f"can be read by others: chmod 600 {key}" in _refused(folder / "server.pem", key)


def test_files_that_are_no_pair_are_refused(folder: Path) -> None:
    certificate, key = folder / "server.pem", folder / "server.key"
    assert "not a certificate and its key" in _refused(certificate, folder / "authority.key")
    assert "not a certificate and its key" in _refused(key, key)
    missing = folder / "absent.pem"
    assert f"cannot read {missing}: No such file" in _refused(missing, key)


def test_a_key_with_a_passphrase_is_rejected_without_a_prompt(folder: Path) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    key = serialization.load_pem_private_key((folder / "server.key").read_bytes(), None)
    sealed = folder / "sealed.key"
    sealed.touch(mode=0o600)
    sealed.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    assert "has a passphrase" in _refused(folder / "server.pem", sealed)


def test_a_certificate_without_a_key_is_refused(folder: Path) -> None:
    server = Server(args=("--tls-cert", str(folder / "server.pem")))
    with pytest.raises(ServerError, match="--tls-key is missing"):
        server.start()
    server.close()
