"""Heads of the largest size, or with many headers: unfinished, in flight, and afterwards."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import connect
from tests.attacks.harness import (
    MEBIBYTE,
    P99_SECONDS,
    Bounds,
    healthz,
    messages,
    others_unaffected,
    request,
)

if TYPE_CHECKING:
    import socket

    from tests.support.server import Server

TARGET_QUERY = "?A=" + "z" * 8_000
LARGE_HEADERS = [f"X: {'y' * 320}" for _ in range(90)]
TINY_LINES = b"aa:bb\r\n" * 4_500
# Without a limit they would take 90 MiB and more.
FEW = Bounds(growth_bytes=40 * MEBIBYTE)
# They come as fast as one processor can send them; the assertion is on memory.
BURST = Bounds(p99_seconds=max(0.5, P99_SECONDS))


def hold(server: Server, stack: ExitStack, sent: bytes, count: int) -> list[socket.socket]:
    """Return connections that sent these bytes and stay open."""
    held = []
    for _ in range(count):
        made = stack.enter_context(connect(server))
        made.sendall(sent)
        held.append(made)
    return held


@pytest.mark.kind("bytes", by="anybody")
@pytest.mark.parametrize("has_login", [False, True], ids=["anonymous", "account"])
def test_idle_connections_retain_no_heads(
    fresh_server: Server, control: Server, has_login: bool
) -> None:
    account = fresh_server.make_account() if has_login else None
    path = "/v1/Conversations" if has_login else "/healthz"
    sent = request("GET", path + TARGET_QUERY, *LARGE_HEADERS, account=account)
    with (
        others_unaffected(fresh_server, control, healthz, messages, bounds=FEW),
        ExitStack() as stack,
    ):
        for _ in range(1_500):
            [made] = hold(fresh_server, stack, sent, 1)
            assert made.recv(12) == b"HTTP/1.1 200"
        time.sleep(0.5)


@pytest.mark.kind("bytes", "admission", by="an account")
def test_heads_with_missing_bodies_stay_within_the_buffers(
    fresh_server: Server, control: Server
) -> None:
    account = fresh_server.make_account()
    path = "/v1/Conversations" + TARGET_QUERY
    # Values above 512 bytes: Python releases the memory of smaller objects in large units only.
    headers = [f"X: {'y' * 640}" for _ in range(45)]
    sent = request("POST", path, *headers, account=account, body=b"x" * 1_000)[:-1_000]
    with others_unaffected(fresh_server, control, healthz, bounds=BURST), ExitStack() as stack:
        hold(fresh_server, stack, sent, 2_500)
        time.sleep(0.5)


@pytest.mark.kind("bytes", by="anybody")
def test_unfinished_heads_of_tiny_headers_are_rejected_at_once(
    fresh_server: Server, control: Server
) -> None:
    sent = b"GET / HTTP/1.1\r\nHost: x\r\n" + TINY_LINES
    with (
        others_unaffected(fresh_server, control, healthz, messages, bounds=FEW),
        ExitStack() as stack,
    ):
        for _ in range(400):
            [made] = hold(fresh_server, stack, sent, 1)
            assert made.recv(12) == b"HTTP/1.1 431"


@pytest.mark.kind("refusals", "bytes", by="anybody")
def test_heads_with_tiny_headers_affect_no_other(fresh_server: Server, control: Server) -> None:
    sent = b"GET / HTTP/1.1\r\nHost: x\r\n" + TINY_LINES + b"\r\n"
    with others_unaffected(fresh_server, control, healthz):
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            with ExitStack() as stack:
                hold(fresh_server, stack, sent, 50)
