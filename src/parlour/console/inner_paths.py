"""The path of an operation within the path of a request to the console."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from parlour.http.console_requests import CONSOLE_API, CONSOLE_ROOT
from parlour.protocol.forms import decode_path_segment
from parlour.vocabulary import sids
from parlour.vocabulary.errors import ApiError

OF_SERVER: Final = "-"
"""In place of an account: operations of the server."""
OPERATOR_PATHS: Final = "/parlour/v1/Operator/"
_START: Final = f"{CONSOLE_API}/"
_VERSIONS: Final = ("/v1/", "/parlour/v1/", "/2010-04-01/")
# A proxy or a router might decode one of these, and find another path than the gate has checked.
_AMBIGUOUS: Final = re.compile(r"[/\\\x00-\x1f\x7f]")


class InnerPath(NamedTuple):
    """An account, empty for the server itself, and the path of an operation, not decoded."""

    account_sid: str
    path: str


def parse_inner_path(path: str) -> InnerPath:
    """Return the account and the path of an operation. Raises 404."""
    account, slash, rest = path.removeprefix(_START).partition("/")
    inner = slash + rest
    if (
        not path.startswith(_START)
        or not inner.startswith(_VERSIONS)
        or inner.startswith(CONSOLE_ROOT)
        or not all(map(_is_plain, rest.split("/")))
    ):
        raise ApiError.not_found(path)
    is_of_operator = inner.startswith(OPERATOR_PATHS)
    if account == OF_SERVER and is_of_operator:
        return InnerPath("", inner)
    if not sids.is_sid(sids.ACCOUNT, account) or is_of_operator:
        raise ApiError.not_found(path)
    return InnerPath(sids.normal(account), inner)


def _is_plain(segment: str) -> bool:
    """Return whether a segment of a path means the same to each reader."""
    text = decode_path_segment(segment)
    return text is not None and text not in {"", ".", ".."} and not _AMBIGUOUS.search(text)
