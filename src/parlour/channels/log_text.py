"""Carriers' texts in the log, without the addresses of recipients and senders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN_CHARS: Final = 3


def without_addresses(text: str, addresses: Iterable[str]) -> str:
    """Return a text with the last characters of these addresses in place of each.

    Networks and providers repeat a recipient in their reasons, with or without its plus sign and
    prefix.
    """
    for address in sorted(addresses, key=len, reverse=True):
        bare = address.rpartition(":")[2].removeprefix("+")
        for spelling in (address, f"+{bare}", bare):
            if len(spelling) > _SHOWN_CHARS:
                text = text.replace(spelling, f"…{bare[-_SHOWN_CHARS:]}")
    return text
