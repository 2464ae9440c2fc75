"""The parts of a MIME message, found in linear time and within bounds. No I/O.

The parser of the standard library recurses into nested parts, handles lines one by one, and
keeps an object for each of a million empty parts; a mail from a stranger must not decide how much
time and memory that is. Here one part is two positions in the message, and a message with too many
parts, levels or headers is refused.
"""

from __future__ import annotations

import binascii
import re
import string
from dataclasses import dataclass
from typing import Final

from parlour.channels.email import header_text
from parlour.vocabulary import limits

_FIELD: Final = re.compile(rb"([!-9;-~]{1,76})[ \t]*:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)\n?")
_FOLD: Final = re.compile(rb"[ \t]*\r?\n[ \t]+")
_BASE64: Final = frozenset(string.ascii_letters + string.digits + "+/")
_NOT_BASE64: Final = bytes(each for each in range(256) if chr(each) not in _BASE64)
_MULTIPART: Final = "multipart/"


class MimeRefused(Exception):  # noqa: N818 - named after the decision.
    """The message exceeds a bound of this module; the text names it."""


class Headers:
    """The header fields of a message or part: unfolded texts by lower-case name, in order."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def get(self, name: str) -> str | None:
        """Return the first field with a name in lower case; None if there is none."""
        return next((value for each, value in self._fields if each == name), None)

    def get_all(self, name: str) -> list[str]:
        """Return the values of all fields with a name in lower case."""
        return [value for each, value in self._fields if each == name]


@dataclass(frozen=True, slots=True)
class MimePart:
    """One part that has no parts itself; ``content`` is still encoded.

    ``container`` is the subtype of the multipart that it belongs to, empty for a message of one
    part. A message inside a message is one part.
    """

    headers: Headers
    content: bytes
    container: str
    content_type: str
    parameters: dict[str, str]

    @property
    def filename(self) -> str | None:
        """The name that the sender gave, without folders; None if there is none."""
        disposition = header_text.parse_parameters(self.headers.get("content-disposition") or "")
        name = disposition.parameters.get("filename") or self.parameters.get("name") or ""
        name = re.split(r"[/\\]", name)[-1].strip()
        return name[-limits.MEDIA_FILENAME_CHARS_MAX :] or None

    @property
    def is_attachment(self) -> bool:
        """Whether it is not to be shown as a text of the mail."""
        disposition = header_text.parse_parameters(self.headers.get("content-disposition") or "")
        return disposition.value == "attachment" or self.filename is not None

    def decoded(self) -> bytes:
        """Return the content without its transfer encoding; malformed input as far as it goes."""
        encoding = (self.headers.get("content-transfer-encoding") or "").strip().lower()
        if encoding == "base64":
            return _decode_base64(self.content)
        if encoding == "quoted-printable":
            return binascii.a2b_qp(self.content)
        return self.content

    def text(self) -> str:
        """Return the decoded content as text, with line feeds as ends of lines."""
        text = header_text.decode_charset(self.decoded(), self.parameters.get("charset"))
        return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True, slots=True)
class MimeMessage:
    """A message: its headers, its type, and its parts in order."""

    headers: Headers
    content_type: str
    parameters: dict[str, str]
    parts: list[MimePart]


def parse_message(raw: bytes) -> MimeMessage:
    """Return a message and its parts. Raises MimeRefused."""
    if len(raw) > limits.EMAIL_BYTES_MAX:
        raise MimeRefused(f"larger than {limits.EMAIL_BYTES_MAX} bytes")
    headers, _ = parse_headers(raw, 0, len(raw))
    content_type = header_text.parse_content_type(headers.get("content-type"))
    parts: list[MimePart] = []
    _collect(raw, (0, len(raw)), _Place(0, "", "text/plain"), parts)
    return MimeMessage(headers, content_type.value, content_type.parameters, parts)


def parse_headers(raw: bytes, start: int, end: int) -> tuple[Headers, int]:
    """Return the fields at a position, and the position of the body. Raises MimeRefused.

    The body also starts at the first line that is no field, without an empty line before it.
    """
    head_end, body = _find_body(raw, start, end)
    if head_end - start > limits.EMAIL_HEADER_BYTES_MAX:
        raise MimeRefused(f"headers larger than {limits.EMAIL_HEADER_BYTES_MAX} bytes")
    fields: list[tuple[str, str]] = []
    position = start
    while position < head_end:
        found = _FIELD.match(raw, position, head_end)
        if found is None:
            return Headers(fields), position if raw[position:head_end].strip() else body
        if len(fields) == limits.EMAIL_HEADER_FIELDS_MAX:
            raise MimeRefused(f"more than {limits.EMAIL_HEADER_FIELDS_MAX} header fields")
        value = header_text.decode_charset(_FOLD.sub(b" ", found[2]).strip(), None)
        fields.append((found[1].decode("ascii").lower(), value))
        position = found.end()
    return Headers(fields), body


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a part is: its depth, the subtype of its multipart, and the type without a header."""

    depth: int
    container: str
    default_type: str


def _collect(raw: bytes, span: tuple[int, int], place: _Place, parts: list[MimePart]) -> None:
    """Append the parts of an entity that have no parts themselves."""
    start, end = span
    headers, body = parse_headers(raw, start, end)
    value = headers.get("content-type") or place.default_type
    content_type, parameters = header_text.parse_content_type(value)
    boundary = parameters.get("boundary", "").encode("utf-8", "replace")
    spans: list[tuple[int, int]] = []
    if content_type.startswith(_MULTIPART) and boundary:
        if place.depth == limits.EMAIL_DEPTH_MAX:
            raise MimeRefused(f"nested deeper than {limits.EMAIL_DEPTH_MAX} levels")
        spans = _split(raw, body, end, boundary)
    if spans:
        subtype = content_type.removeprefix(_MULTIPART)
        default_type = "message/rfc822" if subtype == "digest" else "text/plain"
        for each in spans:
            _collect(raw, each, _Place(place.depth + 1, subtype, default_type), parts)
        return
    if len(parts) == limits.EMAIL_PARTS_MAX:
        raise MimeRefused(f"more than {limits.EMAIL_PARTS_MAX} parts")
    if content_type.startswith(_MULTIPART):
        # It cannot be split without a boundary: a text.
        content_type = "text/plain"
    parts.append(MimePart(headers, raw[body:end], place.container, content_type, parameters))


def _split(raw: bytes, start: int, end: int, boundary: bytes) -> list[tuple[int, int]]:
    """Return the spans between the delimiter lines of a multipart."""
    delimiter = b"--" + boundary
    spans: list[tuple[int, int]] = []
    opened: int | None = None
    lines = 0
    position = start if raw.startswith(delimiter, start, end) else _next(raw, start, end, delimiter)
    while position >= 0:
        lines += 1
        if lines > limits.EMAIL_PARTS_MAX + 2:
            raise MimeRefused(f"more than {limits.EMAIL_PARTS_MAX} parts")
        line_end = raw.find(b"\n", position, end)
        line_end = end if line_end < 0 else line_end + 1
        rest = raw[position + len(delimiter) : min(line_end, position + len(delimiter) + 1000)]
        is_last = rest.startswith(b"--")
        if not rest.removeprefix(b"--").strip():
            if opened is not None:
                spans.append((opened, _without_line_end(raw, opened, position)))
            opened = None if is_last else line_end
            if is_last:
                break
        position = _next(raw, line_end - 1, end, delimiter)
    if opened is not None:
        spans.append((opened, end))
    return spans


def _next(raw: bytes, start: int, end: int, delimiter: bytes) -> int:
    """Return the position of the next delimiter after an end of line; -1 if there is none."""
    found = raw.find(b"\n" + delimiter, start, end)
    return -1 if found < 0 else found + 1


def _without_line_end(raw: bytes, start: int, end: int) -> int:
    """Return the end of a part: the end of line before a delimiter belongs to the delimiter."""
    if end > start and raw[end - 1] == 10:
        end -= 1
        if end > start and raw[end - 1] == 13:
            end -= 1
    return end


def _find_body(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the end of the headers and the start of the body."""
    for empty in (b"\r\n", b"\n"):
        if raw.startswith(empty, start, end):
            return start, start + len(empty)
    ends = [
        (found + 1, found + len(mark))
        for mark in (b"\n\r\n", b"\n\n")
        if (found := raw.find(mark, start, end)) >= 0
    ]
    return min(ends, default=(end, end))


def _decode_base64(content: bytes) -> bytes:
    """Return the bytes of base64 up to its padding; other characters are skipped."""
    chunks = []
    rest = b""
    # In steps, so that other threads run in between.
    for start in range(0, len(content), limits.EMAIL_DECODED_BYTES_PER_STEP):
        chunk = content[start : start + limits.EMAIL_DECODED_BYTES_PER_STEP]
        data, padding, _ = chunk.partition(b"=")
        rest += data.translate(None, _NOT_BASE64)
        whole = len(rest) - len(rest) % 4
        chunks.append(binascii.a2b_base64(rest[:whole]))
        rest = rest[whole:]
        if padding:
            break
    if len(rest) > 1:
        chunks.append(binascii.a2b_base64(rest + b"=" * (4 - len(rest))))
    return b"".join(chunks)
