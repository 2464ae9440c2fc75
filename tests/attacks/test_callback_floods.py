"""Attacks on the callbacks of carriers: the signature is verified once the body is complete."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary import limits
from tests.attacks.attack_traffic import connect, flood
from tests.attacks.harness import Bounds, healthz, messages, others_unaffected, request
from tests.support.client import FORM_TYPE
from tests.support.server import Server
from tests.support.sockets import receive

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 1.0
# Unsigned callbacks are not throttled: each takes a turn of the processor for its check.
BOUNDS = Bounds(p99_seconds=0.5)
PATH = "/parlour/v1/Carriers/main/inbound"
FORM = f"Content-Type: {FORM_TYPE}"
SIGNATURE = "X-Twilio-Signature: d3Jvbmc="
CARRIERS = """
[carriers.main]
type = "http-provider"
base_url = "http://127.0.0.1:9"
account_sid = "AC00000000000000000000000000000001"
auth_token = "the secret of the provider"

[[routes]]
channel = "*"
carrier = "main"
"""
CHUNKED = (
    f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{FORM}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
)
CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"


def unfinished(size: int) -> bytes:
    """Return a callback of this size whose second half is missing."""
    whole = request("POST", PATH, FORM, SIGNATURE, body=b"Body=" + b"x" * size)
    return whole[: -size // 2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a carrier that has callbacks."""
    path = tmp_path_factory.mktemp("carriers") / "carriers.toml"
    path.write_text(CARRIERS)
    public = {"PARLOUR_PUBLIC_URL": "https://parlour.example"}
    with Server(args=("--carriers", str(path)), env=public) as running:
        yield running


@pytest.mark.kind("bytes", by="anybody")
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request("POST", PATH, FORM, SIGNATURE, body=b"Body=hello"), b"403"),
        (f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{FORM}\r\nContent-Length: 9999999\r\n\r\n", b"400"),
        (CHUNKED + CHUNK * (limits.BODY_BYTES_MAX // 0x10000 + 1), b"400"),
    ],
    ids=["wrong signature", "large with its length", "large in chunks"],
)
def test_a_callback_that_is_refused_gets_its_status(
    server: Server, sent: bytes | str, status: bytes
) -> None:
    with closing(connect(server)) as made:
        made.sendall(sent.encode() if isinstance(sent, str) else sent)
        assert receive(made).split(b" ", 2)[1] == status


@pytest.mark.kind("bytes", "turns", by="anybody")
def test_endless_and_unsigned_callbacks_are_not_buffered(server: Server, control: Server) -> None:
    unsigned = request("POST", PATH, FORM, SIGNATURE, body=b"Body=" + b"x" * 10_000)
    with others_unaffected(server, control, bounds=BOUNDS):
        flood(server, head=CHUNKED, repeated=CHUNK, seconds=SECONDS / 4, connections=4)
        flood(server, repeated=unsigned * 50, seconds=SECONDS / 4, connections=8)


@pytest.mark.kind("bytes", "shares", "admission", by="anybody")
@pytest.mark.gate
def test_many_slow_callbacks_leave_others_unaffected(server: Server, control: Server) -> None:
    unsigned = request("POST", PATH, FORM, SIGNATURE, body=b"Body=" + b"x" * 10_000)
    part = unfinished(500_000)
    with (
        others_unaffected(server, control, healthz, messages, bounds=BOUNDS),
        ExitStack() as stack,
    ):
        for _ in range(300):
            made = stack.enter_context(closing(connect(server)))
            made.setblocking(False)
            made.send(part)
        flood(server, repeated=unsigned * 50, seconds=3 * SECONDS, connections=50)
        time.sleep(SECONDS)
