"""Framing of requests: accepted, rejected, and without superfluous memory."""

from __future__ import annotations

import sys

import pytest

from parlour.protocol.header_block import HeaderBlock
from parlour.protocol.http_request import RequestReader
from parlour.protocol.request_head import CHUNKED, ParsedHead, RequestError, has_word
from parlour.vocabulary import limits
from tests.support.request_parsing import HOST, ParsedRequest, head, read

URL_BYTES_MAX = limits.URL_PATH_BYTES_MAX + limits.URL_QUERY_BYTES_MAX


def status_of(data: bytes) -> int:
    """The status of the rejection; the same whether the bytes come at once or one by one."""
    at_once = read([data])[1]
    assert read([data[at : at + 1] for at in range(len(data))])[1] == at_once
    return at_once


# --- Rejected ---------------------------------------------------------------------------------

MALFORMED = {
    # Lengths that can be read in two ways.
    "two lengths": head(b"Content-Length: 3", b"Content-Length: 4"),
    "the same length twice": head(b"Content-Length: 3", b"Content-Length: 3"),
    "a list of lengths": head(b"Content-Length: 3, 3"),
    "a negative length": head(b"Content-Length: -3"),
    "a length with a sign": head(b"Content-Length: +3"),
    "a length in hex": head(b"Content-Length: 0x3"),
    "a length with an underscore": head(b"Content-Length: 1_0"),
    "a length with a space": head(b"Content-Length: 1 0"),
    "an empty length": head(b"Content-Length:"),
    "a length of many digits": head(b"Content-Length: " + b"9" * 30),
    "a length of nineteen digits": head(b"Content-Length: " + b"1" * 19),
    "a length with leading zeros beyond reason": head(b"Content-Length: " + b"0" * 30 + b"3"),
    # Transfer-Encoding other than chunked alone.
    "chunks and a length": head(b"Transfer-Encoding: chunked", b"Content-Length: 3"),
    "a length and chunks": head(b"Content-Length: 3", b"Transfer-Encoding: chunked"),
    "chunked is not last": head(b"Transfer-Encoding: chunked, identity"),
    "two codings": head(b"Transfer-Encoding: gzip, chunked"),
    "two codings in two headers": head(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"),
    "chunked twice": head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "chunked twice in one header": head(b"Transfer-Encoding: chunked, chunked"),
    "an unknown coding": head(b"Transfer-Encoding: xchunked"),
    "identity": head(b"Transfer-Encoding: identity"),
    "a coding in quotes": head(b'Transfer-Encoding: "chunked"'),
    "a coding with a parameter": head(b"Transfer-Encoding: chunked;q=1"),
    "a vertical tab before the coding": head(b"Transfer-Encoding: \x0bchunked"),
    "an empty coding": head(b"Transfer-Encoding:"),
    "a folded coding": head(b"Transfer-Encoding:\r\n chunked"),
    "a space before the colon": head(b"Transfer-Encoding : chunked"),
    "a tab before the colon": head(b"Content-Length\t: 3"),
    "chunks in HTTP/1.0": head(b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.0"),
    # Lines.
    "a bare CR": head(b"X: a\rContent-Length: 3"),
    "a bare LF in the request line": b"GET /\nX: //a HTTP/1.0\r\n\r\n",
    "a bare LF in the request line of HTTP/1.1": b"GET /\nX:/a HTTP/1.1\r\n" + HOST + b"\r\n",
    "a bare CR in the request line": b"GET /\rX:/a HTTP/1.1\r\n" + HOST + b"\r\n",
    "a bare LF": head(b"X: a\nContent-Length: 3"),
    "a head that ends in LF LF": b"GET / HTTP/1.1\nHost: a\n\n",
    "a NUL": head(b"X: a\0b"),
    "a control character": head(b"X: a\x01b"),
    "a DEL": head(b"X: a\x7fb"),
    "a folded header": head(b"X: a", b" b"),
    "a header that begins with a tab": head(b"\tX: a"),
    "a header without a colon": head(b"Content-Length 3"),
    "a header without a name": head(b": x"),
    "a name with a space": head(b"X Y: x"),
    "a name that is no token": head(b"X(: x"),
    "a space before the request line": b" GET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "an LF before the request line": b"\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a CR before the request line": b"\rGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "an LF after blank lines": b"\r\n\r\n\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "too many blank lines": b"\r\n" * 33 + b"GET / HTTP/1.1\r\n" + HOST + b"\r\n",
    # Hosts.
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": head(b"Host: a", start=b"GET / HTTP/1.1"),
    # Request lines.
    "a version to come": head(start=b"GET / HTTP/1.2"),
    "a version of long ago": b"GET /\r\n\r\n",
    "HTTP/0.9 with a version": head(start=b"GET / HTTP/0.9"),
    "HTTP/2 without TLS": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another protocol": head(start=b"GET / RTSP/1.0"),
    "a version in small letters": head(start=b"GET / http/1.1"),
    "two spaces before the target": head(start=b"GET  / HTTP/1.1"),
    "two spaces before the version": head(start=b"GET /  HTTP/1.1"),
    "a space at the end": head(start=b"GET / HTTP/1.1 "),
    "a tab after the method": head(start=b"GET\t/ HTTP/1.1"),
    "an unknown method": head(start=b"FOO / HTTP/1.1"),
    "a method in small letters": head(start=b"get / HTTP/1.1"),
    "a space in the target": head(start=b"GET /a b HTTP/1.1"),
    "a relative target": head(start=b"GET a HTTP/1.1"),
    "a target that is not ASCII": head(start=b"GET /\xc3\xab HTTP/1.1"),
    "a fragment": head(start=b"GET /a#b HTTP/1.1"),
    "an absolute target without a host": head(start=b"GET http:///a HTTP/1.1"),
    "an absolute target with a user": head(start=b"GET http://u@a/ HTTP/1.1"),
    "an absolute target of another scheme": head(start=b"GET ftp://a/ HTTP/1.1"),
    "a tunnel": head(start=b"CONNECT a:443 HTTP/1.1"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "an answer": b"HTTP/1.1 200 OK\r\n\r\n",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed_or_ambiguous_requests_are_rejected(data: bytes) -> None:
    assert status_of(data) == 400


CHUNKED_HEAD = head(b"Transfer-Encoding: chunked")
BROKEN_CHUNKS = {
    "no digits": b"\r\n",
    "no hex digit": b"g\r\n",
    "0x": b"0x1\r\na\r\n0\r\n\r\n",
    "a plus sign": b"+1\r\na\r\n0\r\n\r\n",
    "a minus sign": b"-1\r\na\r\n0\r\n\r\n",
    "a space before the size": b" 1\r\na\r\n0\r\n\r\n",
    "a space after the size": b"1 \r\na\r\n0\r\n\r\n",
    "a tab after the size": b"1\t\r\na\r\n0\r\n\r\n",
    "an underscore": b"1_0\r\n",
    "digits that are not ASCII": "\u0661\r\n".encode(),
    "a size that overflows": b"f" * 17 + b"\r\n",
    "a size with many zeros": b"0" * 16 + b"1\r\na\r\n0\r\n\r\n",
    "a bare LF after the size": b"1\na\r\n0\r\n\r\n",
    "a bare CR after the size": b"1\ra\r\n0\r\n\r\n",
    "a CR in an extension": b"1;a\rb\r\na\r\n0\r\n\r\n",
    "a NUL in an extension": b"1;a\0\r\na\r\n0\r\n\r\n",
    "a long extension": b"1;" + b"a" * limits.CHUNK_LINE_BYTES_MAX + b"\r\n",
    "an extension that never ends": b"1;" + b"a" * 2 * limits.CHUNK_LINE_BYTES_MAX,
    "data longer than its size": b"1\r\nab\r\n0\r\n\r\n",
    "data shorter than its size": b"3\r\na\r\n0\r\n\r\n",
    "an LF after the data": b"1\r\na\n0\r\n\r\n",
    "a trailer without a colon": b"0\r\nabc\r\n\r\n",
    "a trailer with a space in its name": b"0\r\na b: c\r\n\r\n",
    "a folded trailer": b"0\r\na: b\r\n c\r\n\r\n",
    "a trailer with a bare LF": b"0\r\na: b\n\r\n",
    "a trailer with a bare CR": b"0\r\na: b\rc\r\n\r\n",
    "a trailer with a NUL": b"0\r\na: b\0\r\n\r\n",
    "a trailer named Transfer-Encoding": b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a trailer named Content-Length": b"0\r\ncontent-length: 5\r\n\r\n",
    "a trailer named Host": b"0\r\nHOST: other.test\r\n\r\n",
    "a long trailer": b"0\r\na: " + b"b" * limits.TRAILER_BYTES_MAX + b"\r\n\r\n",
    "many trailers": b"0\r\n" + b"a:b\r\n" * limits.TRAILER_BYTES_MAX,
    "one-byte chunks": b"1\r\na\r\n" * limits.CHUNK_FRAME_BYTES_MAX + b"0\r\n\r\n",
    "small chunks with extensions": b"2;aaaaaa\r\naa\r\n" * 2_000 + b"0\r\n\r\n",
}


@pytest.mark.parametrize("data", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS)
@pytest.mark.promise("CHUNK_LINE_BYTES_MAX", 400)
@pytest.mark.promise("CHUNK_SIZE_DIGITS_MAX", 400)
@pytest.mark.promise("CHUNK_FRAME_BYTES_MAX", 400)
@pytest.mark.promise("CHUNK_BYTES_PER_FRAME_BYTE_MIN", 400)
@pytest.mark.promise("TRAILER_BYTES_MAX", 400)
def test_broken_chunks_are_refused(data: bytes) -> None:
    assert read([CHUNKED_HEAD + data]) == ([], 400)
    assert read([CHUNKED_HEAD, *[data[at : at + 1] for at in range(len(data))]]) == ([], 400)


def test_small_chunks_of_a_small_body_are_read() -> None:
    chunks = b"1\r\na\r\n" * 3_000 + b"0\r\n\r\n"
    assert read([CHUNKED_HEAD + chunks])[0][0].body == b"a" * 3_000


@pytest.mark.promise("URL_PATH_BYTES_MAX", 414)
@pytest.mark.promise("URL_QUERY_BYTES_MAX", 414)
def test_a_long_url_is_refused_with_414() -> None:
    longest = b"/" + b"x" * (URL_BYTES_MAX - 1)
    assert read([head(start=b"GET " + longest + b" HTTP/1.1")])[1] == 0
    for target in (longest + b"x", longest * 3):
        whole = head(start=b"GET " + target + b" HTTP/1.1")
        assert read([whole]) == ([], 414)
        assert read([whole[at : at + 1000] for at in range(0, len(whole), 1000)]) == ([], 414)


@pytest.mark.promise("REQUEST_LINE_FRAME_BYTES_MAX", 414)
def test_a_request_line_that_does_not_end_is_refused_with_414() -> None:
    most = URL_BYTES_MAX + limits.REQUEST_LINE_FRAME_BYTES_MAX
    reader = RequestReader()
    assert not reader.receive(b"GET /".ljust(most, b"x"))
    with pytest.raises(RequestError) as refused:
        reader.receive(b"xx")
    assert refused.value.status == 414


@pytest.mark.promise("HEADER_BYTES_MAX", 431)
def test_large_and_many_headers_are_refused_with_431() -> None:
    most = [b"X%d: y" % number for number in range(limits.HEADERS_MAX - 1)]
    assert read([head(*most)])[1] == 0
    assert read([head(*most, b"X: y")]) == ([], 431)
    assert read([head(*[b"X: y"] * limits.HEADERS_MAX)]) == ([], 431)
    large = head(b"X: " + b"y" * limits.HEADER_BYTES_MAX)
    assert read([large]) == ([], 431)
    assert read([large[at : at + 1000] for at in range(0, len(large), 1000)]) == ([], 431)
    assert read([large[:-8], large[-8:]]) == ([], 431)


@pytest.mark.parametrize("piece_bytes", [1, 100, 50_000])
@pytest.mark.promise("HEADERS_MAX", 431)
def test_too_many_headers_are_refused_before_the_head_ends(piece_bytes: int) -> None:
    data = head()[:-2] + b"aa:bb\r\n" * 4_000
    reader = RequestReader()
    at = 0
    with pytest.raises(RequestError) as refused:  # noqa: PT012 - some chunk is the first beyond it.
        for at in range(0, len(data), piece_bytes):
            assert not reader.receive(data[at : at + piece_bytes])
    assert refused.value.status == 431
    assert at < 1_000
    parsed = reader._parsed
    assert parsed is not None
    assert len(parsed.headers) + len(parsed.repeated) == limits.HEADERS_MAX


def test_a_long_url_before_too_many_headers_is_refused_with_414() -> None:
    data = head(*[b"X: y"] * 2 * limits.HEADERS_MAX, start=b"GET /" + b"x" * 2 * URL_BYTES_MAX)
    assert status_of(data) == 414
    assert read([data[:-100], data[-100:]])[1] == 414


def test_an_endless_head_keeps_no_more_than_its_limit() -> None:
    for start in (b"GET /", b"GET / HTTP/1.1\r\n" + HOST + b"X: "):
        reader = RequestReader()
        assert not reader.receive(start)
        with pytest.raises(RequestError):  # noqa: PT012 - some chunk is the first beyond it.
            for _ in range(1_000):
                assert not reader.receive(b"x" * 100)
                assert reader.is_in_head
                assert reader.buffered_bytes <= URL_BYTES_MAX + limits.HEADER_BYTES_MAX


def buffered_by(reader: RequestReader) -> int:
    """The bytes of memory that a reader keeps, but for what all readers share."""
    shared = HeaderBlock({})
    open_values = [getattr(reader, name) for name in RequestReader.__slots__ if name != "_blocks"]
    buffered = 0
    while open_values:
        value = open_values.pop()
        if isinstance(value, HeaderBlock):
            open_values += [value.fields, value.repeated]
        elif isinstance(value, ParsedHead):
            open_values += [value.headers, value.repeated, value.target]
        elif isinstance(value, dict):
            open_values += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple):
            open_values += value
        buffered += sys.getsizeof(value)
    return buffered - sys.getsizeof(shared)


LARGE_HEADERS = [b"X%d: " % (number // 2) + b"x" * 300 for number in range(90)]


def test_memory_of_unfinished_heads_is_counted() -> None:
    tiny = head(*[b"x%d: y" % number for number in range(90)])[:-2]
    for data in (head(*LARGE_HEADERS)[:-2], tiny):
        reader = RequestReader()
        new = buffered_by(reader)
        assert not reader.receive(data)
        counted = reader.buffered_bytes + reader.parsed_bytes
        assert 0.6 * counted < buffered_by(reader) - new < 1.3 * counted


# --- Accepted ---------------------------------------------------------------------------------


def one(data: bytes) -> ParsedRequest:
    """The one request in these bytes."""
    found, status = read([data])
    assert status == 0
    assert len(found) == 1
    return found[0]


def test_a_request_is_read_with_pipelined_bytes() -> None:
    first = head(b"Content-Length: 3") + b"abc"
    second = head(b"Transfer-Encoding: Chunked") + b"2;x=y\r\nde\r\n01\r\nf\r\n0\r\nT: u\r\n\r\n"
    third = head(start=b"GET /a?b=c HTTP/1.1")
    found, status = read([first + b"\r\n" + second + third + b"\r\nGET /"])
    assert status == 0
    assert [each.body for each in found] == [b"abc", b"def", b""]
    assert found[2].target == ("/a", b"b=c")
    assert all(each.keep_alive for each in found)


def test_the_first_of_repeated_headers_applies() -> None:
    headers = dict(one(head(b"X: 1", b"x:2", b"X:\t3 ")).headers)
    assert headers[b"x"] == b"1"
    assert dict(one(head(b"X:\t1 \t")).headers)[b"x"] == b"1"


@pytest.mark.parametrize(
    ("lines", "keeps"),
    [
        ([], True),
        ([b"Connection: keep-alive"], True),
        ([b"Connection: close"], False),
        ([b"Connection: Close"], False),
        ([b"Connection: x, close"], False),
        ([b"Connection: keep-alive", b"Connection: close"], False),
        ([b"Connection: close", b"Connection: keep-alive"], False),
        ([b"Connection: enclosed"], True),
    ],
)
def test_a_client_can_close_the_connection(lines: list[bytes], keeps: bool) -> None:
    assert one(head(*lines)).keep_alive == keeps


def test_http_1_0_needs_no_host_and_is_closed() -> None:
    assert not one(b"GET / HTTP/1.0\r\n\r\n").keep_alive
    assert not one(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        (b"http://b", "/", b"", b"b"),
        (b"HTTPS://b:80/c?d", "/c", b"d", b"b:80"),
        (b"http://b?d=/e", "/", b"d=/e", b"b"),
        (b"/%41//..?a?b", "/%41//..", b"a?b", b"a"),
        (b"*", "*", b"", b"a"),
    ],
)
def test_targets(target: bytes, path: str, query: bytes, host: bytes) -> None:
    found = one(head(start=b"OPTIONS " + target + b" HTTP/1.1"))
    assert found.target == (path, query)
    assert dict(found.headers)[b"host"] == host
    without_host = b"OPTIONS " + target + b" HTTP/1.0\r\n\r\n"
    assert one(without_host).headers == ()


@pytest.mark.parametrize(
    ("start", "lines", "wants"),
    [
        (b"GET", [b"Upgrade: WebSocket", b"Connection: keep-alive, Upgrade"], True),
        (b"GET", [b"Upgrade: websocket", b"Connection: x", b"Connection: upgrade"], True),
        (b"GET", [b"Upgrade: websocket"], False),
        (b"GET", [b"Connection: upgrade"], False),
        (b"GET", [b"Upgrade: h2c", b"Connection: upgrade"], False),
        (b"GET", [b"Upgrade: h2c", b"Upgrade: websocket", b"Connection: upgrade"], False),
        (b"POST", [b"Upgrade: websocket", b"Connection: upgrade"], False),
    ],
)
def test_a_wish_for_a_websocket(start: bytes, lines: list[bytes], wants: bool) -> None:
    for version in (b"1.1", b"1.0"):
        reader = RequestReader()
        assert reader.receive(head(*lines, start=start + b" / HTTP/" + version) + b"rest")
        assert reader.wants_websocket == (wants and version == b"1.1")
        assert reader.trailing_data == b"rest"
        assert reader.head.startswith(start)


def test_continue_is_expected_in_http_1_1_alone() -> None:
    for start, expects in ((b"POST / HTTP/1.1", True), (b"POST / HTTP/1.0", False)):
        for text in (b"100-continue", b"100-Continue"):
            reader = RequestReader()
            assert reader.receive(head(b"Expect: " + text, b"Content-Length: 1", start=start))
            assert reader.expects_continue == expects
    reader = RequestReader()
    assert reader.receive(head(b"Expect: x", b"Content-Length: 1"))
    assert not reader.expects_continue


def test_how_much_of_a_body_is_left() -> None:
    reader = RequestReader()
    assert reader.receive(head(b"Content-Length: 5"))
    assert (reader.length, reader.remaining_bytes) == (5, 5)
    assert reader.take_body(b"ab") == b"ab"
    assert (reader.remaining_bytes, reader.is_complete) == (3, False)
    assert reader.take_body(b"cdefg") == b"cde"
    assert (reader.remaining_bytes, reader.is_complete, reader.start_next()) == (0, True, b"fg")
    assert reader.receive(CHUNKED_HEAD)
    assert (reader.length, reader.remaining_bytes) == (CHUNKED, None)


@pytest.mark.promise("BLANK_LINE_BYTES_MAX", 400)
def test_blank_lines_are_counted_between_two_requests() -> None:
    some = b"\r\n" * (limits.BLANK_LINE_BYTES_MAX // 2)
    found, status = read([some + head(), some + head(), some[:-1], b"\n", b"\r", b"\n"])
    assert (len(found), status) == (2, 400)


def test_words_of_a_list() -> None:
    assert has_word(b"a, B\t,c", b"b")
    assert not has_word(b"ab, c", b"b")
