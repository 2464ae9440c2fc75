"""Slow uploads and downloads: slots are shared, and revoked when other clients need them."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary import limits
from tests.attacks.attack_traffic import connect
from tests.attacks.harness import healthz, others_unaffected
from tests.resources.media_setup import MediaClient, direct_url
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

LAUNCH = str(Path(__file__).parents[1] / "resources" / "launch_with_limits.py")
# More than all buffers between client and server hold.
LARGE_BYTES = 16 << 20
TYPE = "Content-Type: application/octet-stream"


class AttackedAccount:
    """An account, its default service and its users' access tokens."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.sid, self.token = server.make_account()
        api = Api(server.base_url, self.sid, self.token)
        self.service_sid = api.get("/Configuration").expect(200)["default_chat_service_sid"]
        self._api = api

    def media_client_of(self, identity: str) -> MediaClient:
        return MediaClient.of_user(self.server, self._api, self.service_sid, identity)

    def upload_by(self, identity: str, length: int, body: bytes) -> bytes:
        """Return the first bytes of an upload of this length."""
        media_client = self.media_client_of(identity)
        token = media_client.credentials["X-Twilio-Token"]
        head = (f"POST {media_client.path} HTTP/1.1", "Host: x", f"X-Twilio-Token: {token}", TYPE)
        return "\r\n".join([*head, f"Content-Length: {length}", "", ""]).encode() + body


@contextlib.contextmanager
def slow_uploads(server: Server, heads: list[bytes]) -> Iterator[list[socket.socket]]:
    """Open uploads that have started and then stall."""
    with contextlib.ExitStack() as stack:
        sockets = []
        for head in heads:
            sockets.append(stack.enter_context(connect(server)))
            sockets[-1].sendall(head)
            time.sleep(0.01)  # The attack uses slow connections, not many at once.
        yield sockets


@pytest.mark.kind("shares", "admission", by="a user")
def test_slow_uploads_of_one_user_occupy_no_slot_of_others(
    fresh_server: Server, control: Server
) -> None:
    accounts: dict[int, AttackedAccount] = {}

    def innocent_upload(server: Server) -> list[bytes]:
        account = accounts.setdefault(server.port, AttackedAccount(server))
        # Several users, because each may have only this many media without a message.
        return [account.upload_by(f"innocent {number}", 5, b"hello") for number in range(8)]

    attacked = accounts.setdefault(fresh_server.port, AttackedAccount(fresh_server))
    head = attacked.upload_by("attacker", 1 << 20, b"x")
    heads = [head] * (limits.UPLOADS_PER_ACCOUNT_MAX + 10)
    with (
        others_unaffected(fresh_server, control, healthz, innocent_upload),
        slow_uploads(fresh_server, heads) as sockets,
    ):
        time.sleep(1)
        refused = [each for each in sockets if is_answered(each, b"HTTP/1.1 429 ")]
        assert len(refused) >= 10


def is_answered(connection: socket.socket, beginning: bytes) -> bool:
    connection.settimeout(0.001)
    try:
        return connection.recv(4096).startswith(beginning)
    except TimeoutError:
        return False


@pytest.fixture(scope="module")
def hasty_server() -> Iterator[Server]:
    """A server with few slots, on which transfers soon count as slow."""
    few = "UPLOADS_PER_ACCOUNT_MAX=8 DOWNLOADS_PER_ACCOUNT_MAX=4 TRANSFER_WINDOW_MS=500"
    with Server(env={"LIMITS": few}, program=(LAUNCH,)) as running:
        yield running


@pytest.mark.kind("shares", "admission", by="many users")
@pytest.mark.promise("TRANSFER_BYTES_PER_SECOND_CONTESTED", 408)
def test_slow_uploads_of_many_users_lose_a_slot_to_one_more(hasty_server: Server) -> None:
    account = AttackedAccount(hasty_server)
    heads = [account.upload_by(f"slow {number}", 1 << 20, b"x") for number in range(8)]
    with slow_uploads(hasty_server, heads) as sockets:
        innocent = account.media_client_of("innocent")
        eventually(lambda: innocent.upload().status, lambda status: status == 201)
        cut = [each for each in sockets if is_answered(each, b"HTTP/1.1 408 ")]
        assert len(cut) >= 1
        # The others still have their slots.
        assert len(cut) < len(sockets)


@pytest.mark.kind("shares", "admission", by="an account")
def test_slow_downloads_lose_a_slot_to_one_more(hasty_server: Server) -> None:
    account = AttackedAccount(hasty_server)
    media_client = account.media_client_of("attacker")
    large = media_client.add(b"w" * LARGE_BYTES, "application/octet-stream")
    small = account.media_client_of("innocent").add(b"hello")
    target = direct_url(large).removeprefix(hasty_server.base_url)
    head = f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(hasty_server, receive_buffer=4096)) for _ in range(4)]
        for each in slow:
            each.sendall(head)
        # Below its share it is always served, and then the slowest of the others is closed.
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            assert media_client.direct(small).status == 200
            time.sleep(0.1)
        cut = [each for each in slow if received(each) < LARGE_BYTES]
        assert len(cut) >= 1


def received(connection: socket.socket) -> int:
    """Return the bytes received until the server closed, at least the whole medium."""
    connection.settimeout(5)
    size = 0
    with contextlib.suppress(ConnectionResetError):
        while size < LARGE_BYTES and (data := connection.recv(1 << 16)):
            size += len(data)
    return size
