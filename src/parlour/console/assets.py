"""The files of the page: read at the first request, compressed once, and cached by browsers.

Their folder has the hash of all files in its name, so that a browser may cache them indefinitely:
after an upgrade the page names another folder. Only names that were read are served.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from parlour.http.console_requests import CONSOLE_ROOT
from parlour.http.messages import Response
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.http.messages import Request

STATIC: Final = Path(__file__).parent / "static"
ASSETS_START: Final = f"{CONSOLE_ROOT}/assets/"
INDEX: Final = "index.html"
_HASH_CHARS: Final = 16
_CACHED: Final = (b"cache-control", b"public, max-age=31536000, immutable")
_VARIES: Final = (b"vary", b"accept-encoding")
_GZIP: Final = (b"content-encoding", b"gzip")
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
_OTHER: Final = "application/octet-stream"


class Asset(NamedTuple):
    """A file: its bytes, compressed if that makes them smaller, and its media type."""

    content: bytes
    compressed: bytes | None
    media_type: bytes

    def response(self, request: Request, *others: tuple[bytes, bytes]) -> Response:
        """Return the response with this file, in an encoding that the client accepts."""
        headers = ((b"content-type", self.media_type), _VARIES, *others)
        if self.compressed is not None and _accepts_gzip(request.header(b"accept-encoding")):
            return Response(200, self.compressed, (*headers, _GZIP))
        return Response(200, self.content, headers)


class Assets:
    """The files below a folder. Reading them blocks."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        self._files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        digest = hashlib.sha256()
        for name, content in self._files.items():
            digest.update(b"%s\0%d\0%s" % (name.encode(), len(content), content))
        self.root = f"{ASSETS_START}{digest.hexdigest()[:_HASH_CHARS]}/"
        self._assets = {
            self.root + name: make_asset(content, name)
            for name, content in self._files.items()
            if name != INDEX
        }

    @property
    def has_index(self) -> bool:
        """Whether the page is there."""
        return INDEX in self._files

    @property
    def has_vendor(self) -> bool:
        """Whether the files of others are there, which the build adds."""
        return any(name.startswith("vendor/") for name in self._files)

    @property
    def index(self) -> str:
        """The page, as it was written."""
        return self._files[INDEX].decode()

    def respond(self, request: Request) -> Response:
        """Return the response with a file. Raises 404."""
        found = self._assets.get(request.path)
        if found is None:
            raise ApiError.not_found(request.path)
        return found.response(request, _CACHED)


def make_asset(content: bytes, name: str) -> Asset:
    """Return a file, compressed."""
    compressed = gzip.compress(content, mtime=0)
    media_type = _TYPES.get(Path(name).suffix, _OTHER)
    is_smaller = len(compressed) < len(content)
    return Asset(content, compressed if is_smaller else None, media_type.encode())


def _accepts_gzip(accepted: str | None) -> bool:
    for each in (accepted or "").lower().split(","):
        coding, _, weight = each.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return weight == "" or weight.strip("0.") != ""
    return False
