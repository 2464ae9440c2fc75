"""The base URL of links in responses."""

from __future__ import annotations

import pytest

from parlour.http.client_addresses import ClientAddresses
from parlour.http.messages import Request
from parlour.http.root_urls import RootUrls
from parlour.protocol.header_block import HeaderBlock
from parlour.vocabulary.errors import ApiError
from tests.support.in_process_requests import RecordedExchange

HOST = b"chat.example.net"
LOOPBACK = ClientAddresses("127.0.0.0/8, ::1")


def request(
    *headers: tuple[bytes, bytes], client: str | None = "127.0.0.1", host: bytes = HOST
) -> Request:
    """A request over plain HTTP."""
    exchange = RecordedExchange(peer=client or "")
    block = HeaderBlock({b"host": host, **dict(headers)})
    return Request("GET", "/v1/Conversations", b"", block, exchange)


def test_they_start_as_the_request_found_us() -> None:
    assert RootUrls("", LOOPBACK).of(request()) == "http://chat.example.net"
    assert RootUrls("https://public.example/", LOOPBACK).of(request()) == "https://public.example"
    with pytest.raises(ApiError):
        RootUrls("", LOOPBACK).of(request(host=b"a b"))


@pytest.mark.parametrize(
    ("header", "client", "scheme"),
    [
        (b"https", "127.0.0.1", "https"),
        (b" https ", "::1", "https"),
        (b"http", "127.0.0.1", "http"),
        (b"javascript", "127.0.0.1", "http"),
        (b"https", "192.0.2.7", "http"),
        (b"https", None, "http"),
    ],
)
def test_a_local_proxys_forwarded_headers_set_the_root_url(
    header: bytes, client: str | None, scheme: str
) -> None:
    roots = RootUrls("", LOOPBACK)
    assert roots.of(request()) == "http://chat.example.net"
    asked_through = request((b"x-forwarded-proto", header), client=client)
    assert roots.of(asked_through) == f"{scheme}://chat.example.net"
