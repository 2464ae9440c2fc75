"""The transfer of media: ranges, sizes, pace, and the cost in memory."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary import limits
from tests.properties.raw_connection import ClosedError, RawConnection
from tests.resources.media_setup import FormPart, MediaClient, direct_url
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server
from tests.support.sockets import receive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.resources.media_setup import Medium

pytestmark = pytest.mark.embedded  # The transfer of bytes does not depend on the database.

LAUNCH = str(Path(__file__).with_name("launch_with_limits.py"))
SMALL_BYTES = 300_000
WANTED = 100
"""Concurrent requests: too many for all buffers, even if some are rejected."""
STALL_SECONDS = 2
SMALL = (
    f"MEDIA_BYTES_MAX={SMALL_BYTES} UPLOAD_GRACE_SECONDS=2 UPLOAD_BYTES_PER_SECOND_MIN=65536"
    f" LINGER_SECONDS_MAX=1 SEND_STALL_SECONDS_MAX={STALL_SECONDS} DOWNLOADS_PER_ACCOUNT_MAX=2"
)
CONTENT = bytes(range(250)) * 4


@pytest.fixture(scope="module")
def small() -> Iterator[Server]:
    """A server with low limits."""
    with Server(env={"LIMITS": SMALL}, program=(LAUNCH,)) as running:
        yield running


def shelf_on(server: Server, account: tuple[str, str] | None = None) -> MediaClient:
    """Return a client of the media of an account's default service."""
    api = Api(server.base_url, *(account or (server.account_sid, server.auth_token)))
    with closing(api):
        sid = api.get("/Configuration").expect(200)["default_chat_service_sid"]
        return MediaClient.of_account(server, api, sid)


@pytest.fixture
def media_client(server: Server) -> MediaClient:
    """A client of media on the shared server."""
    return shelf_on(server)


@pytest.fixture
def tight(small: Server) -> MediaClient:
    """A client of media on a server with low limits."""
    return shelf_on(small)


def files(server: Server) -> list[Path]:
    """Return every file of a medium, stored or temporary."""
    return [path for path in (server.data_dir / "media").rglob("*") if path.is_file()]


# --- Parts and heads ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=990-", 990, 999),
        ("bytes=990-5000", 990, 999),
        ("bytes=-5", 995, 999),
        ("bytes=-5000", 0, 999),
        ("BYTES = 1-2", 1, 2),
    ],
)
def test_a_part_is_handed_out(media_client: MediaClient, asked: str, first: int, last: int) -> None:
    medium = media_client.add(CONTENT)
    answer = media_client.direct(medium, Range=asked)
    assert (answer.status, answer.body) == (206, CONTENT[first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/1000"
    assert answer.headers["Content-Length"] == str(last - first + 1)
    assert media_client.content(medium["sid"], Range=asked).body == CONTENT[first : last + 1]


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-1,3-4", "bytes=5-1", "bytes=-", "bytes=a-b", "lines=0-1", "bytes=0-" + "9" * 40, ""],
)
def test_anything_but_a_single_range_is_ignored(media_client: MediaClient, asked: str) -> None:
    answer = media_client.direct(media_client.add(CONTENT), Range=asked)
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=5000-6000", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(media_client: MediaClient, asked: str) -> None:
    answer = media_client.direct(media_client.add(CONTENT), Range=asked)
    assert (answer.status, answer.body) == (416, b"")
    assert answer.headers["Content-Range"] == "bytes */1000"


def test_a_range_with_another_validator_gets_the_whole(media_client: MediaClient) -> None:
    medium = media_client.add(CONTENT)
    tag = media_client.direct(medium).headers["ETag"]
    assert media_client.direct(medium, Range="bytes=0-1", If_Range=tag).status == 206
    assert media_client.direct(medium, Range="bytes=0-1", If_Range='"other"').status == 200


def test_an_empty_medium_has_no_parts(media_client: MediaClient) -> None:
    medium = media_client.add(b"")
    assert media_client.direct(medium).body == b""
    assert media_client.direct(medium, Range="bytes=0-").status == 416
    assert media_client.direct(medium, Range="bytes=-1").status == 416


def test_a_head_response_has_the_headers_of_a_get(media_client: MediaClient) -> None:
    medium = media_client.add(CONTENT, "image/png", Filename="a.png")
    changing = {"date", "twilio-request-id", "twilio-request-duration"}
    for path in (direct_url(medium), medium["links"]["content"], medium["url"]):
        head, whole = (
            media_client.send_request("HEAD", path),
            media_client.send_request("GET", path),
        )
        assert (head.status, head.body) == (200, b"")
        shown = [
            {name: text for name, text in answer.headers.items() if name not in changing}
            for answer in (head, whole)
        ]
        assert shown[0] == shown[1]
    part = media_client.send_request("HEAD", direct_url(medium), headers={"Range": "bytes=0-9"})
    assert (part.status, part.headers["Content-Length"]) == (206, "10")


def test_several_requests_follow_each_other_on_one_connection(media_client: MediaClient) -> None:
    medium = media_client.add(CONTENT)
    target = direct_url(medium).removeprefix(media_client.server.base_url)
    with RawConnection(media_client.server) as wire:
        upload = wire.head(
            f"POST {media_client.path} HTTP/1.1", "Content-Type: text/plain", "Content-Length: 3"
        )
        wire.send(upload + b"abc" + wire.get(target) + upload + b"def" + wire.get(target))
        answers = [wire.answer() for _ in range(4)]
    assert [answer.status for answer in answers] == [201, 200, 201, 200]
    assert answers[3].body == CONTENT


# --- Size ---------------------------------------------------------------------------------


@pytest.mark.promise("MEDIA_BYTES_MAX", 413)
@pytest.mark.promise("reference/quirks.md", "An upload above 150 MB is refused with status 413")
@pytest.mark.slow
def test_the_largest_medium_is_accepted_and_one_byte_more_is_not(tight: MediaClient) -> None:
    before = files(tight.server)
    for extra in (1, 50_000, 5_000_000):
        too_large = b"x" * (SMALL_BYTES + extra)
        tight.upload(too_large).refuses(413, 50512)
        tight.upload_form([FormPart.file(too_large, "a")]).refuses(413, 50512)
    assert files(tight.server) == before
    largest = b"y" * SMALL_BYTES
    assert tight.direct(tight.add(largest)).body == largest
    made = tight.upload_form([FormPart.file(largest, "a")]).expect(201)
    assert tight.direct(made).body == largest


def chunked(size: int) -> Iterator[bytes]:
    """Yield a body of so many bytes without a declared length."""
    piece = b"z" * 10_000
    for _ in range(size // len(piece)):
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def test_a_body_of_unknown_length_is_counted_while_it_comes(tight: MediaClient) -> None:
    head = ("Transfer-Encoding: chunked", "Content-Type: video/mp4")
    with RawConnection(tight.server) as wire:
        wire.send(wire.head(f"POST {tight.path} HTTP/1.1", *head), *chunked(SMALL_BYTES))
        assert wire.answer().expect(201)["size"] == SMALL_BYTES
        wire.send(wire.head(f"POST {tight.path} HTTP/1.1", *head), *chunked(SMALL_BYTES + 20_000))
        refused = wire.answer()
    refused.refuses(413, 50512)
    assert refused.headers["Connection"] == "close"


def test_a_client_that_expects_continue_is_answered_at_once(tight: MediaClient) -> None:
    with RawConnection(tight.server) as wire:
        head = ("Expect: 100-continue", f"Content-Length: {SMALL_BYTES + 1}")
        wire.send(wire.head(f"POST {tight.path} HTTP/1.1", *head))
        wire.answer().refuses(413, 50512)


def test_a_rejected_client_gets_the_error_while_still_sending(tight: MediaClient) -> None:
    body = b"x" * 3_000_000
    answer = tight.send_bare("POST", tight.path, body, {"Content-Type": "text/plain"})
    answer.refuses(401, 20003)
    tight.upload(body, Category="none").refuses(400, 20001)


# --- Pace ---------------------------------------------------------------------------------


def begin(
    media_client: MediaClient, wire: RawConnection, size: int = 1000, sent: bytes = b"x"
) -> None:
    """Send the start of an upload."""
    head = wire.head(f"POST {media_client.path} HTTP/1.1", f"Content-Length: {size}")
    wire.send(head + sent)


@pytest.mark.promise("UPLOAD_GRACE_SECONDS", 408)
@pytest.mark.slow
def test_an_upload_that_stops_is_broken_off(tight: MediaClient) -> None:
    before = files(tight.server)
    with RawConnection(tight.server) as wire:
        begin(tight, wire)
        started = time.monotonic()
        wire.answer().refuses(408, 20001)
        assert 1 < time.monotonic() - started < 12
    assert files(tight.server) == before


@pytest.mark.promise("UPLOAD_BYTES_PER_SECOND_MIN", 408)
@pytest.mark.slow
def test_an_upload_that_drips_is_broken_off(tight: MediaClient) -> None:
    with RawConnection(tight.server) as wire:
        begin(tight, wire)
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.2):
                try:
                    wire.socket.send(b"x")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            wire.answer().refuses(408, 20001)
        finally:
            stop.set()
            dripping.join()


@pytest.mark.slow
def test_an_upload_in_progress_gets_more_time(tight: MediaClient) -> None:
    size = 280_000
    with RawConnection(tight.server) as wire:
        begin(tight, wire, size, b"")
        for _ in range(40):  # Four seconds; an idle connection gets two.
            wire.send(b"x" * (size // 40))
            time.sleep(0.1)
        assert wire.answer().expect(201)["size"] == size


def test_a_client_that_hangs_up_leaves_nothing(tight: MediaClient) -> None:
    before = files(tight.server)
    with RawConnection(tight.server) as wire:
        begin(tight, wire, SMALL_BYTES, b"x" * 200_000)
        eventually(lambda: files(tight.server), lambda found: found != before)
    eventually(lambda: files(tight.server), lambda found: found == before)


@pytest.fixture
def narrow() -> Iterator[Server]:
    """A server with few concurrent uploads."""
    few = "UPLOADS_PER_ACCOUNT_MAX=2 UPLOADS_MAX=3"
    with Server(env={"LIMITS": few}, program=(LAUNCH,)) as running:
        yield running


@pytest.mark.promise("UPLOADS_MAX", 429)
@pytest.mark.promise("UPLOADS_MAX", 503)
@pytest.mark.promise("UPLOADS_PER_ACCOUNT_MAX", 429)
@pytest.mark.slow
def test_concurrent_uploads_are_bounded_for_each_account_and_in_total(narrow: Server) -> None:
    account = narrow.make_account()
    own, other = shelf_on(narrow), shelf_on(narrow, account)
    with RawConnection(narrow) as one, RawConnection(narrow) as two:
        for wire in (one, two):
            begin(own, wire)
        eventually(lambda: own.upload().status, lambda status: status == 429)
        refused = own.upload()
        refused.refuses(429, 20429)
        assert refused.headers["Retry-After"] == "1"
        assert own.look("ME" + "0" * 32).status == 404
        other.add()
        with RawConnection(narrow, account) as three:
            begin(other, three)
            eventually(lambda: other.upload().status, lambda status: status == 503)
        for wire in (one, two):
            wire.send(b"x" * 999)
            wire.answer().expect(201)
    eventually(lambda: own.upload().status, lambda status: status == 201)


@pytest.mark.slow
def test_a_client_that_reads_nothing_is_disconnected(small: Server, tight: MediaClient) -> None:
    medium = large_medium(tight)
    with RawConnection(small) as wire, RawConnection(small) as another:
        for each in (wire, another):
            each.send(each.get(direct_url(medium).removeprefix(small.base_url)) * WANTED)
        # Several times in a row: the request for the metrics takes a slot as well.
        eventually(
            lambda: {tight.direct(medium).status for _ in range(5)}, lambda found: found == {429}
        )
        # Both have lost their slots then, although they neither read nor disconnect.
        time.sleep(2 * STALL_SECONDS)
        assert tight.direct(medium).status == 200
        for each in (wire, another):
            assert sum(answers_until_cut(each)) < WANTED


@pytest.fixture
def scarce() -> Iterator[Server]:
    """A server with few concurrent downloads."""
    few = "DOWNLOADS_PER_ACCOUNT_MAX=2 DOWNLOADS_MAX=3"
    with Server(env={"LIMITS": few}, program=(LAUNCH,)) as running:
        yield running


@pytest.mark.promise("DOWNLOADS_MAX", 429)
@pytest.mark.promise("DOWNLOADS_MAX", 503)
@pytest.mark.promise("DOWNLOADS_PER_ACCOUNT_MAX", 429)
@pytest.mark.slow
def test_concurrent_downloads_are_bounded_for_each_account_and_in_total(scarce: Server) -> None:
    account = scarce.make_account()
    own, other = shelf_on(scarce), shelf_on(scarce, account)
    large, others = large_medium(own), large_medium(other)
    with contextlib.ExitStack() as stack:

        def download(medium: Medium) -> None:
            wire = stack.enter_context(RawConnection(scarce))
            wire.send(wire.get(direct_url(medium).removeprefix(scarce.base_url)) * WANTED)

        for _ in range(2):
            download(large)
        eventually(lambda: {own.direct(large).status for _ in range(5)}, lambda seen: seen == {429})
        assert other.direct(others).status == 200
        download(others)
        eventually(
            lambda: {other.direct(others).status for _ in range(5)}, lambda seen: seen == {503}
        )


def answers_until_cut(wire: RawConnection) -> Iterator[bool]:
    """Yield whether each response is complete or a 429, until the server closes the connection."""
    with contextlib.suppress(ClosedError, ConnectionError):
        while True:
            answer = wire.answer()
            yield answer.status == 429 or len(answer.body) == SMALL_BYTES


def large_medium(media_client: MediaClient) -> Medium:
    """Return the largest upload, so that a few of them fill every buffer."""
    return media_client.add(b"w" * SMALL_BYTES)


# --- Memory -------------------------------------------------------------------------------

GROWTH_BYTES_MAX = 32 * limits.MEBIBYTE


class PeakMemory:
    """The peak resident size of a server since a moment."""

    def __init__(self, server: Server) -> None:
        self._folder = Path(f"/proc/{server.pid}")
        (self._folder / "clear_refs").write_text("5")
        self._begun = self._peak()

    def _peak(self) -> int:
        status = (self._folder / "status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * limits.KIBIBYTE

    def growth(self) -> int:
        """Return its growth."""
        return self._peak() - self._begun


class Stream:
    """A body of this many bytes, generated while it is sent."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes."""
        taken = min(self._left, 65536 if count < 0 else count)
        self._left -= taken
        return b"\0" * taken


def growth_with_the_largest(server: Server) -> tuple[int, int]:
    """Return a server's growth while the largest medium is uploaded, and then while downloaded.

    The server restarts between the two: memory that the upload freed would serve the download.
    """
    media_client = shelf_on(server)
    media_client.direct(media_client.add())
    size = limits.MEDIA_BYTES_MAX
    body: Any = Stream(size)
    headers = {"Content-Type": "video/mp4", "Content-Length": str(size)}
    memory = PeakMemory(server)
    made = json.loads(media_client.send_request("POST", media_client.path, body, headers).body)
    assert made["size"] == size
    coming = memory.growth()
    server.restart()
    media_client.direct(media_client.add())
    memory = PeakMemory(server)
    assert taken_slowly(media_client, made) == size
    return coming, memory.growth()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_largest_medium(fresh_server: Server) -> None:
    grown = growth_with_the_largest(fresh_server)
    print(f"grown by {grown} bytes")
    assert max(grown) < GROWTH_BYTES_MAX, grown


def taken_slowly(media_client: MediaClient, medium: Medium) -> int:
    """Return the number of bytes of a body, read in chunks."""
    with RawConnection(media_client.server) as wire:
        wire.send(wire.get(direct_url(medium).removeprefix(media_client.server.base_url)))
        time.sleep(0.5)  # A server without backpressure would hold all of it by now.
        left = medium["size"]
        count = 0
        head = b""
        while b"\r\n\r\n" not in head:
            head += receive(wire.socket)
        count = len(head) - head.index(b"\r\n\r\n") - 4
        while count < left:
            count += len(receive(wire.socket, 1 << 20))
        return count
