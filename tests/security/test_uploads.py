"""Hostile files: stored unchanged under a sid, never decoded, never displayed as active content."""

from __future__ import annotations

import gzip
import io
import re
import struct
import time
import tomllib
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.media_setup import FormPart
from tests.resources.test_media_transfer import GROWTH_BYTES_MAX, PeakMemory, shelf_on
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.resources.media_setup import MediaClient, Medium
    from tests.support.client import ApiResponse

FILES = tomllib.loads((Path(__file__).parent / "corpora" / "uploads.toml").read_text("utf-8"))[
    "files"
]
FILES_MIN = 60
SECONDS_MAX = 1.0
# Active types in a browser, or pages that embed them: by type alone, since nosniff is set.
ACTIVE = re.compile(
    r"html|xml|script|css|wasm|flash|multipart/|message/|octet-stream|\A\s*\Z", re.IGNORECASE
)
NAME = re.compile(
    r"(inline|attachment)(; filename=\"[ !#-$&-\[\]-~]*\"(; filename\*=UTF-8''[\w.~%-]+)?)?"
)


def zip_bomb() -> bytes:
    """Zeros in an archive in an archive."""
    content = b"\0" * 5_000_000
    for _ in range(2):
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(8):
                archive.writestr(f"{number}", content)
        content = written.getvalue()
    return content


def gzip_bomb() -> bytes:
    """A hundred megabytes in a hundred kilobytes."""
    return gzip.compress(b"\0" * 100_000_000, 9)


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def _png(width: int, height: int, rows: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png_bomb() -> bytes:
    """Return an image that is small on disk, and large when decoded."""
    return _png(40_000, 20_000, zlib.compress(b"\0" * 5001 * 20_000, 9))


def png_header() -> bytes:
    """Return an image that declares 10^12 pixels and contains few."""
    return _png(1_000_000, 1_000_000, zlib.compress(b"\0"))


def gif_bomb() -> bytes:
    """Return an image with the maximum width and height, many times over."""
    frame = b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + frame * 5000 + b";"


def brackets() -> bytes:
    """Return deeply nested JSON."""
    return b"[" * 1_000_000


MADE = (zip_bomb, gzip_bomb, png_bomb, png_header, gif_bomb, brackets)
WORDS = {"{300}": "x" * 300}


def text_of(file: dict[str, Any], member: str) -> str | None:
    """A member with its long words written out."""
    text: str | None = file.get(member)
    for word, long in WORDS.items():
        text = text and text.replace(word, long)
    return text


def content_of(file: dict[str, Any]) -> bytes:
    """The bytes of a file."""
    made = {each.__name__: each for each in MADE}
    return made[file["made"]]() if "made" in file else file["input"].encode("latin-1")


def send(media_client: MediaClient, file: dict[str, Any], content: bytes) -> ApiResponse:
    """Upload a file as its line in the corpus defines."""
    if "form" in file:
        return media_client.upload_form([FormPart(content, file["form"])])
    headers = {"Content-Encoding": file["encoding"]} if "encoding" in file else {}
    name, content_type = text_of(file, "name"), text_of(file, "type")
    query = {} if name is None else {"Filename": name}
    return media_client.upload(content, content_type, headers=headers, **query)


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server that takes nothing but these files."""
    with Server() as running:
        yield running


@pytest.fixture(scope="module")
def media_client(own_server: Server) -> MediaClient:
    """Where they are uploaded."""
    return shelf_on(own_server)


def everything(server: Server) -> set[Path]:
    """Return every file in the data folder, except the database's."""
    found = server.data_dir.parent.rglob("*")
    return {path for path in found if path.is_file() and "sqlite3" not in path.name}


def test_the_corpus_has_sixty_files_with_reasons() -> None:
    assert len(FILES) >= FILES_MIN
    assert len({file["why"] for file in FILES}) == len(FILES)
    assert all(("input" in file) != ("made" in file) for file in FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file["why"])
def test_a_hostile_file_is_harmless(media_client: MediaClient, file: dict[str, Any]) -> None:
    before = everything(media_client.server)
    content = content_of(file)
    memory = PeakMemory(media_client.server)
    answer = send(media_client, file, content)
    if isinstance(file["expected"], int):
        answer.refuses(400, file["expected"])
        assert everything(media_client.server) == before
        return
    made = answer.expect(201)
    is_kept_by_its_sid_alone(media_client, made, before, content)
    for handed_out in (media_client.direct(made), media_client.content(made["sid"])):
        is_handed_out_safely(handed_out, file, content)
    assert memory.growth() < GROWTH_BYTES_MAX
    kept = file.get("kept", text_of(file, "name"))
    assert made["filename"] == (kept or None)


def test_none_of_them_takes_long(media_client: MediaClient) -> None:
    slow = {}
    for file in FILES:
        content = content_of(file)
        # Twice, because a disk that others use may take its time once.
        seconds = min(seconds_to_send(media_client, file, content) for _ in range(2))
        if seconds > SECONDS_MAX:
            slow[file["why"]] = seconds
    assert slow == {}


def seconds_to_send(media_client: MediaClient, file: dict[str, Any], content: bytes) -> float:
    """Return the duration of an upload, and its response."""
    begun = time.monotonic()
    send(media_client, file, content)
    return time.monotonic() - begun


def is_kept_by_its_sid_alone(
    media_client: MediaClient, made: Medium, before: set[Path], content: bytes
) -> None:
    """Check one file: under a generated name, with the uploaded bytes."""
    [path] = everything(media_client.server) - before
    folder = media_client.server.data_dir / "media" / made["account_sid"] / made["sid"][2:4]
    assert path == folder / made["sid"]
    assert path.read_bytes() == content
    assert not path.stat().st_mode & 0o111


def is_handed_out_safely(answer: ApiResponse, file: dict[str, Any], content: bytes) -> None:
    """The same bytes, with all that keeps a browser from acting on them."""
    assert (answer.status, answer.body) == (200, content)
    headers = answer.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = [each.strip() for each in headers["Content-Security-Policy"].split(";")]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "Set-Cookie" not in headers
    assert "Content-Encoding" not in headers
    disposition = headers["Content-Disposition"]
    assert NAME.fullmatch(disposition), disposition
    is_shown = disposition.startswith("inline")
    assert is_shown == (file["expected"] == "shown"), disposition
    if is_shown:
        assert not ACTIVE.search(headers["Content-Type"]), headers["Content-Type"]


def test_no_decoder_is_loaded_by_the_server() -> None:
    """Code that is not imported cannot be attacked by an image or an archive."""
    decoders = re.compile(
        r"^\s*(import|from) (zipfile|tarfile|gzip|bz2|lzma|PIL|xml|html)\b", re.MULTILINE
    )
    source = Path(__file__).parents[2] / "src" / "parlour"
    files = [
        path
        for package in ("http", "resources", "operations", "store", "protocol", "vocabulary")
        for path in (source / package).rglob("*.py")
    ]
    assert [path for path in files if decoders.search(path.read_text())] == []


def test_the_checker_detects_active_content() -> None:
    assert all(ACTIVE.search(each) for each in ("text/html", "image/svg+xml", "text/javascript"))
    assert not any(ACTIVE.search(each) for each in ("image/png", "text/plain", "video/mp4"))
