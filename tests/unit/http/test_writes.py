"""The bytes that a connection passes to its transport, and the number of writes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

import pytest
import uvloop

import parlour.http.connection
from parlour.vocabulary import limits
from tests.unit.http.connection_setup import GET, POST, ConnectionSetup, Refusing

if TYPE_CHECKING:
    from parlour.http.messages import Request

BOUND = limits.UNRESERVED_ANSWER_BYTES_MAX
CLOSING = GET.replace(b"Host: x", b"Host: x\r\nConnection: close")


async def never(_: Request) -> None:
    raise AssertionError("the request is served")


def no_request(*_: object) -> NoReturn:
    raise AssertionError("a request is made")


@pytest.mark.parametrize("status", [401, 429, 503])
@pytest.mark.parametrize(
    "sent",
    [GET, CLOSING, POST % 5 + b"abcde", b"\r\n" + GET],
    ids=["get", "closing", "post", "after a blank line"],
)
def test_a_refusal_is_one_write(status: int, sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refuser(Refusing):
        pass

    Refuser.status = status
    if status != 401:  # The path of a request decides whether it needs a login at all.
        monkeypatch.setattr(parlour.http.connection, "Request", no_request)

    async def run() -> list[bytes]:
        bench = ConnectionSetup(never, Refuser)
        for _ in range(1 if sent == CLOSING else 3):  # The second has known headers.
            assert bench.receive(sent) == len(sent)
        await bench.end()
        return bench.kernel.writes

    writes = uvloop.run(run())
    assert len(writes) == (1 if sent == CLOSING else 3)
    for each in writes:
        head, _, body = each.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert b"\r\ncontent-length: %d\r\n" % len(body) in head + b"\r\n"
        assert (b"connection: close" in head) is (sent == CLOSING)


@pytest.mark.parametrize("size", [0, 1, BOUND - 1, BOUND, BOUND + 1, 3 * BOUND])
def test_a_large_response_is_not_copied_and_has_the_same_bytes(size: int) -> None:
    body = b"x" * size
    lines = b"content-length: %d\r\n" % size

    async def run() -> list[bytes]:
        answered = asyncio.Event()

        async def answer(request: Request) -> None:
            request.exchange.start_response(200, lines, body, closes=False)
            request.exchange.finish()
            answered.set()

        bench = ConnectionSetup(answer)
        bench.receive(GET)
        await asyncio.wait_for(answered.wait(), 10)
        await bench.end()
        return bench.kernel.writes

    writes = uvloop.run(run())
    start, date, rest = b"".join(writes).split(b"\r\n", 2)
    assert (start, date[:6]) == (b"HTTP/1.1 200 OK", b"date: ")
    assert rest == lines + b"\r\n" + body
    if size > BOUND:
        assert writes[1] is body
        assert len(writes) == 2
    else:
        assert len(writes) == 1


@pytest.mark.parametrize(
    "line", [b"HEAD /v1/Conversations", b"OPTIONS /x", b"GET /healthz", b"GET /metrics?x"]
)
def test_a_response_without_a_body_or_reservation_has_no_prepared_rejection(line: bytes) -> None:
    served: list[str] = []

    async def serve(request: Request) -> None:
        served.append(request.method)
        request.exchange.start_response(204, b"", b"", closes=False)
        request.exchange.finish()

    async def run() -> None:
        bench = ConnectionSetup(serve, Refusing)
        for _ in range(2):  # The second has known headers.
            bench.receive(line + b" HTTP/1.1\r\nHost: x\r\nAuthorization: x\r\n\r\n")
            await asyncio.sleep(0.01)
        await bench.end()

    uvloop.run(run())
    assert len(served) == 2
