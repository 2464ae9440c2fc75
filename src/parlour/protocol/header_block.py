"""The headers of a request as one block: parsed once for all requests with the same bytes.

A client repeats its headers: two of its requests differ only in the request line, or in the length
of the body. To parse the headers of an SDK's GET takes longer than a lookup in the cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Sequence


class HeaderBlock:
    """Parsed headers, and the framing that they declare. Shared, so immutable.

    ``fields``: names in lower case; of a repeated header the first line, the others are in
    ``repeated``. ``length``: the length of the body, or CHUNKED. ``object_bytes``: the memory of
    the headers beyond their bytes.
    """

    __slots__ = (
        "expects_continue",
        "fields",
        "keep_alive",
        "length",
        "login_digest",
        "object_bytes",
        "repeated",
    )

    def __init__(
        self,
        fields: dict[bytes, bytes],
        repeated: Sequence[tuple[bytes, bytes]] = (),
        *,
        length: int = 0,
        keep_alive: bool = True,
        expects_continue: bool = False,
    ) -> None:
        self.fields = fields
        self.repeated = repeated
        self.length = length
        self.object_bytes = limits.HEADER_OBJECT_BYTES * (len(fields) + len(repeated))
        self.keep_alive = keep_alive
        self.expects_continue = expects_continue
        self.login_digest = ""
        """The digest of its login, once it was computed (http/authentication.py)."""


NO_HEADERS: Final = HeaderBlock({})


class HeaderBlockCache:
    """The recent header blocks of this process, by their bytes: a bounded cache.

    A client that sends different headers each time evicts one entry per request, and blocks in use
    are cached again at their next request. So it costs other clients a parse, and no memory.
    """

    def __init__(self) -> None:
        self._blocks: dict[bytes, HeaderBlock] = {}
        self.find = self._blocks.get

    def add(self, data: bytes, block: HeaderBlock) -> None:
        """Cache the block of these bytes, unless they are long."""
        if len(data) > limits.HEADER_BLOCK_BYTES_CACHED_MAX:
            return
        if len(self._blocks) >= limits.HEADER_BLOCKS_CACHED_MAX:
            del self._blocks[next(iter(self._blocks))]
        self._blocks[data] = block
