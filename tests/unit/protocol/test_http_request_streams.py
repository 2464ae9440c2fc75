"""Framing of requests, for any stream: in every split the same, and as h11 does it."""

from __future__ import annotations

from itertools import pairwise

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parlour.protocol.header_block import HeaderBlockCache
from parlour.protocol.http_request import RequestReader
from parlour.protocol.request_head import RequestError
from tests.support.request_parsing import HOST, ParsedRequest, head, read

CHUNKED_HEAD = head(b"Transfer-Encoding: chunked")

NAMES = st.sampled_from([b"Accept", b"X-A", b"x-b", b"Connection", b"Cookie", b"Expect"])
TEXTS = st.sampled_from(
    [b"", b"a", b"close", b"keep-alive", b"a, close ", b"100-continue", b"\xff"]
)
BODIES = st.binary(max_size=40)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A valid request."""
    method = draw(st.sampled_from([b"GET", b"POST", b"DELETE", b"PUT", b"OPTIONS"]))
    target = draw(st.sampled_from([b"/", b"/a/b?c=d", b"*", b"http://b/c?d", b"/" + b"x" * 50]))
    lines = [name + b": " + draw(TEXTS) for name in draw(st.lists(NAMES, max_size=4))]
    body = draw(BODIES)
    framing = draw(st.sampled_from(["none", "length", "chunked"]))
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(body))
    elif framing == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
        cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
        edges = [0, *cuts, len(body)]
        parts = [body[a:b] for a, b in pairwise(edges)]
        extension = draw(st.sampled_from([b"", b";a", b';a="b"']))
        sent = b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts if part)
        body = sent + b"0\r\n" + draw(st.sampled_from([b"", b"T: u\r\n"])) + b"\r\n"
    else:
        body = b""
    blank = draw(st.sampled_from([b"", b"\r\n"]))
    return blank + head(*lines, start=method + b" " + target + b" HTTP/1.1") + body


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(each % (len(data) + 1) for each in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


@given(st.lists(requests(), min_size=1, max_size=4), st.lists(st.integers(0, 10_000), max_size=12))
def test_a_stream_gives_the_same_requests_in_every_split(
    sent: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(sent)
    whole = read([stream])
    assert (len(whole[0]), whole[1]) == (len(sent), 0)
    assert read(in_pieces(stream, cuts)) == whole


@pytest.mark.parametrize(
    "stream",
    [
        b"\r\n" + head(b"Content-Length: 2") + b"ab" + head(),
        CHUNKED_HEAD + b"2;a=b\r\nab\r\n0\r\nT: u\r\n\r\n" + head(),
    ],
)
def test_a_stream_gives_the_same_requests_in_each_split_in_two_or_three(stream: bytes) -> None:
    whole = read([stream])
    for first in range(len(stream) + 1):
        for second in range(first, min(first + 4, len(stream) + 1)):
            assert read(in_pieces(stream, [first, second])) == whole


PARTS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\n",
        b"POST / HTTP/1.0\r\n",
        HOST,
        HOST + b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b"\0",
        b"Content-Length: 3\r\n",
        b"Content-Length: 0\r\n",
        b"Content-Length:3 \r\n",
        b"Content-Length: +3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: CHUNKED \r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Connection: close\r\n",
        b"X: y\r\n",
        b"X:\r\n",
        b"abc",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"0\r\nT: u\r\n\r\n",
        b"1;a\r\nb\r\n",
        b"00000000003\r\nabc\r\n",
    ]
)


class WithoutBlankLines(RequestReader):
    """Accepts no blank lines before a request line, as h11 does not."""

    def _without_blank_lines(self, data: bytes) -> bytes:
        raise RequestError(f"blank line before {data!r}")


def read_by_h11(stream: bytes) -> list[tuple[bytes, bytes]]:
    """Methods and bodies of the requests that h11 finds before it needs more, or fails."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(stream)
    found: list[tuple[bytes, bytes]] = []
    method, body = b"", b""
    while True:  # Ends with the stream.
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return found
        if isinstance(event, h11.Request):
            method, body = event.method, b""
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            found.append((method, body))
            connection.send(h11.Response(status_code=204, headers=[]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return found
            connection.start_next_cycle()
        else:
            return found


STREAMS = st.lists(st.one_of(PARTS, requests()), max_size=10).map(b"".join)


@given(STREAMS)
@example(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n")
@example(head(b"Transfer-Encoding: chunked") + b"0\r\n\r\n" + head(b"Content-Length: 0"))
def test_accepted_streams_are_framed_as_by_h11(stream: bytes) -> None:
    """Declared exceptions: h11 accepts bare LF, obs-fold, and Transfer-Encoding with a length.

    It continues where this parser has rejected, and stops at a request that closes the connection.
    It rejects blank lines before a request line.
    """
    ours = read([stream], WithoutBlankLines)[0]
    until_close = []
    for each in ours:
        until_close.append((each.method, each.body))
        if not each.keep_alive:
            break
    assert until_close == read_by_h11(stream)[: len(until_close)]


@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=8))
def test_any_stream_gives_the_same_result_in_every_split(stream: bytes, cuts: list[int]) -> None:
    assert read(in_pieces(stream, cuts)) == read([stream])


def _times(count: int, stream: bytes) -> list[tuple[list[ParsedRequest], int]]:
    """Return each result of reading a stream on so many connections that share a cache."""
    blocks = HeaderBlockCache()
    return [read([stream], lambda: RequestReader(blocks)) for _ in range(count)]


@given(STREAMS)
@example(head(b"Content-Length: 2") + b"ab" + head(b"Content-Length: 2") + b"cd")
@example(head(b"Expect: 100-continue") * 2)
def test_headers_that_are_known_are_read_as_the_first_time(stream: bytes) -> None:
    first, second = _times(2, stream)
    assert second == first


LINES = st.one_of(
    st.binary(max_size=20),
    st.builds(b"".join, st.tuples(st.just(b"GET /"), st.binary(max_size=8), st.just(b" HTTP/1.1"))),
    st.from_regex(rb"(GET|POST|HEAD|get|)[ \t]?(/|\*|http://b/)[!-~]{0,6} HTTP/[01]\.[0-9]"),
)


@given(LINES)
@example(b"GET /\xc3\xab HTTP/1.1")
@example(b"GET /a#b HTTP/1.1")
@example(b"GET /a?b#c HTTP/1.1")
@example(b"GET //b/c?d?e HTTP/1.1")
def test_a_request_line_before_known_headers_is_read_as_before_unknown_ones(line: bytes) -> None:
    sent = head(start=line)
    primed = head() + sent

    found, status = _times(1, sent)[0]
    after_known, after_status = _times(1, primed)[0]

    assert after_known[1:] == found
    assert after_status == status


def test_every_byte_in_a_request_line_is_judged_alike_before_known_headers() -> None:
    for byte in range(256):
        for before, behind in ((b"GET /a", b"b HTTP/1.1"), (b"GET /a?b", b"c HTTP/1.1")):
            sent = head(start=before + bytes([byte]) + behind)
            found, status = _times(1, sent)[0]
            after_known, after_status = _times(1, head() + sent)[0]
            assert (after_known[1:], after_status) == (found, status), byte


@given(STREAMS, STREAMS)
@example(head(b"Content-Length: 2") + b"ab", head(b"Content-Length: 2") + b"cd")
@example(head(), head() + b"G")
@example(head(b"Connection: close"), head(b"Connection: close"))
def test_a_request_rejected_before_its_body_is_framed_completely(first: bytes, then: bytes) -> None:
    blocks = HeaderBlockCache()
    read([first], lambda: RequestReader(blocks))
    reader, judge = RequestReader(blocks), RequestReader(blocks)

    block = reader.find_cached_request(then)
    if block is None:
        return
    reader.take_cached_request(block)

    assert judge.receive(then)
    assert judge.is_complete or len(judge.take_body(judge.trailing_data)) == judge.length
    assert judge.is_complete
    assert judge.trailing_data == b""
    assert (reader.keep_alive, reader.length) == (judge.keep_alive, judge.length)
    assert reader.start_next() == b""
    assert reader.receive(then) or not then
