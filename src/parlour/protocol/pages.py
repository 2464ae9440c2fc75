"""Pages of a list: PageSize, Page, PageToken, and the `meta` object of the response.

A page token names the row a page starts after (or ends before) by the row's order key and
sid, so it stays valid while rows are inserted and deleted (keyset pagination). It is signed
together with the list's context (account, path, filters), so no other list accepts it.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

from msgspec import Raw

from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parlour.protocol.forms import FormFields

R = TypeVar("R")

OrderKey: TypeAlias = int | str
"""The value that a list is ordered by."""

RowPosition: TypeAlias = tuple[OrderKey, str]
"""The order key and the sid of the first or last row of a page."""

Meta: TypeAlias = dict[str, int | str | None]
"""The `meta` object of a page."""

_TAG_BYTES: Final = 8
_KIND_INTEGER: Final = "i"
_KIND_TEXT: Final = "s"
_FORWARDS: Final = "f"
_BACKWARDS: Final = "b"
_TOKEN = re.compile(r"PT([0-9A-Za-z]{1,64})\.([0-9A-Za-z_-]+)\Z")
_UNRESERVED = re.compile(r"[0-9A-Za-z_.~-]*\Z")
_NUMBER = re.compile(r"\+?[0-9]+\Z")
_COUNT_DIGITS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class PagePosition:
    """A row, and whether the page is before it (backwards) or after it."""

    key: OrderKey
    sid: str
    backwards: bool = False


class PageTokens:
    """Encodes positions as signed page tokens, and decodes them."""

    def __init__(self, key: bytes) -> None:
        """Sign with a secret key; tokens are valid as long as the key."""
        self._key = key

    def write(self, list_context: str, position: PagePosition) -> str:
        """Return the token of a position in the list at a place."""
        direction = _BACKWARDS if position.backwards else _FORWARDS
        kind = _KIND_INTEGER if isinstance(position.key, int) else _KIND_TEXT
        payload = f"{direction}{kind}{position.key}".encode()
        signed = f"{len(list_context)}:{list_context}{position.sid}.".encode() + payload
        tag = hmac.digest(self._key, signed, "sha256")[:_TAG_BYTES]
        encoded = urlsafe_b64encode(payload + tag).rstrip(b"=").decode()
        return f"PT{position.sid}.{encoded}"

    def parse(self, list_context: str, text: str) -> PagePosition:
        """Return the position of a token; raises ApiError 20001 for any other text."""
        position = _unverified(text)
        # Encoding it again verifies the signature and that the text is canonical.
        if position is None or not hmac.compare_digest(self.write(list_context, position), text):
            raise ApiError.invalid("PageToken")
        return position


def _unverified(text: str) -> PagePosition | None:
    found = _TOKEN.match(text) if len(text) <= limits.PAGE_TOKEN_CHARS_MAX else None
    if found is None:
        return None
    encoded = found[2] + "=" * (-len(found[2]) % 4)
    try:
        payload = urlsafe_b64decode(encoded)[:-_TAG_BYTES].decode()
        key: OrderKey = int(payload[2:]) if payload[1:2] == _KIND_INTEGER else payload[2:]
    except ValueError:
        return None
    return PagePosition(key, found[1], backwards=payload[:1] == _BACKWARDS)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The requested page; its number is only echoed."""

    page: int
    size: int
    position: PagePosition | None

    @property
    def backwards(self) -> bool:
        """Whether the rows before the position are requested."""
        return self.position is not None and self.position.backwards


def parse_page_request(
    query: FormFields, *, default: int, maximum: int, list_context: str, tokens: PageTokens
) -> PageRequest:
    """Return what the query asks for; raises ApiError 20001 for PageSize, Page, PageToken.

    A size above the maximum is lowered to it, because many clients request 1000.
    """
    size = _count(query, "PageSize", default)
    if size < 1:
        raise ApiError.invalid("PageSize")
    page = _count(query, "Page", 0)
    if page > limits.PAGE_MAX:
        raise ApiError.invalid("Page")
    token = query.get("PageToken")
    position = None if token is None else tokens.parse(list_context, token[-1])
    return PageRequest(page, min(size, maximum), position)


def _count(query: FormFields, name: str, default: int) -> int:
    values = query.get(name)
    if values is None:
        return default
    if not _NUMBER.match(values[-1]):
        raise ApiError.invalid(name)
    digits = values[-1].lstrip("+0")
    # A number cut to more digits than any bound has is still above every bound.
    return int(digits[: _COUNT_DIGITS_MAX + 1] or 0)


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """The rows of a page in the order of the list, and whether there are pages around it."""

    rows: list[R]
    has_previous: bool
    has_next: bool


def page_of(rows: Sequence[R], request: PageRequest, key_of: Callable[[R], OrderKey]) -> list[R]:
    """Return up to size + 1 of all rows, which are in memory and in the order of unique keys.

    As from a store: rows before a backwards position come in reverse order.
    """
    position, count = request.position, request.size + 1
    if position is None:
        return list(rows[:count])
    keys = [key_of(each) for each in rows]
    if position.backwards:
        end = bisect_left(keys, position.key)
        return list(rows[:end][::-1][:count])
    begin = bisect_right(keys, position.key)
    return list(rows[begin : begin + count])


def slice_page(rows: Sequence[R], request: PageRequest, size: int | None = None) -> Page[R]:
    """Return the page of the rows read for a request.

    One row more than the size is read, to see whether there are more; for a backwards
    position the rows come in reverse order, nearest to the position first. ``size`` is the size
    of the request, unless the page ends early.
    """
    size = request.size if size is None else size
    shown = list(rows[:size])
    more = len(rows) > size
    if request.backwards:
        shown.reverse()
        return Page(shown, has_previous=more, has_next=True)
    return Page(shown, has_previous=request.position is not None, has_next=more)


def fill_page(
    rows: Sequence[R], request: PageRequest, render: Callable[[list[R]], bytes], bytes_max: int
) -> tuple[Page[R], bytes]:
    """Return the page of the rows read for a request, and its rows as a JSON array.

    The page ends before the row with which the array would exceed ``bytes_max``, but has at
    least one row. A page that is requested backwards drops rows from its beginning: the
    rows nearest to the position stay. So the adjacent pages have no gaps.

    ``render`` returns the JSON array of some rows. It gets several at a time, because that is
    twice as fast as one by one, but never all rows of a page far above the limit.
    """
    wanted = rows[: request.size]
    pieces: list[bytes] = []  # Rows without the brackets, in reading order.
    count, step = 0, limits.PAGE_ROWS_PER_STEP
    left = bytes_max - len(b"[]")
    while count < len(wanted):
        some = list(wanted[count : count + step])
        if request.backwards:
            some.reverse()
        piece = render(some)[1:-1]
        if len(piece) > left and len(some) > 1:
            step = 1  # The page ends among these.
            continue
        if len(piece) > left and pieces:
            break
        pieces.append(piece)
        count += len(some)
        left -= len(piece) + len(b",")
    if request.backwards:
        pieces.reverse()
    return slice_page(rows, request, count), b"[%s]" % b",".join(pieces)


def page_meta(
    *,
    url: str,
    filters: Sequence[tuple[str, str]],
    request: PageRequest,
    page: Page[R],
    key: str,
    positions: tuple[RowPosition, RowPosition] | None,
    tokens: PageTokens,
    list_context: str,
) -> Meta:
    """Return the `meta` object of a list's response.

    `url` is the list's URL without a query, `filters` are the other parameters of the
    request, `key` names the array of rows, and `positions` are the order key and sid of
    the page's first and last row, None if it has no rows. A page without rows has no
    previous page; the page after an empty page before a position is the first one.
    """

    def link(number: int, position: PagePosition | None) -> str:
        fields = [*filters, ("PageSize", str(request.size)), ("Page", str(number))]
        if position is not None:
            fields.append(("PageToken", tokens.write(list_context, position)))
        query = "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in fields])
        return f"{url}?{query}"

    previous_page_url = next_page_url = None
    if positions is not None and page.has_previous:
        before = PagePosition(*positions[0], backwards=True)
        previous_page_url = link(max(request.page - 1, 0), before)
    if page.has_next:
        after = None if positions is None else PagePosition(*positions[1])
        next_page_url = link(request.page + 1, after)
    return {
        "page": request.page,
        "page_size": request.size,
        "first_page_url": link(0, None),
        "previous_page_url": previous_page_url,
        "url": link(request.page, request.position),
        "next_page_url": next_page_url,
        "key": key,
    }


def _quoted(text: str) -> str:
    # Fast path: nearly all names and values need no escapes.
    return text if _UNRESERVED.match(text) else quote(text, "")


Envelope: TypeAlias = Callable[[Meta, Raw, int], dict[str, Any]]
"""From the `meta` object, the rows as JSON and their number, to the response."""


def envelope(page_meta: Meta, rows: Raw, count: int) -> dict[str, Any]:
    """Return the response of a list: `meta`, and the rows under its `key`."""
    del count
    return {"meta": page_meta, str(page_meta["key"]): rows}


def envelope_2010(page_meta: Meta, rows: Raw, count: int) -> dict[str, Any]:
    """Return the response of a list of the accounts API, version 2010-04-01.

    The members of `meta` are next to the rows, and URLs have no scheme and host.
    """
    page, size = page_meta["page"], page_meta["page_size"]
    assert isinstance(page, int)
    assert isinstance(size, int)
    return {
        str(page_meta["key"]): rows,
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": page * size + max(count - 1, 0),
        "first_page_uri": _uri(page_meta["first_page_url"]),
        "previous_page_uri": _uri(page_meta["previous_page_url"]),
        "uri": _uri(page_meta["url"]),
        "next_page_uri": _uri(page_meta["next_page_url"]),
    }


def _uri(url: int | str | None) -> str | None:
    if url is None:
        return None
    return urlsplit(str(url))._replace(scheme="", netloc="").geturl()
