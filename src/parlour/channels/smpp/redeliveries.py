"""Identifiers of inbound messages: SMPP has none, but an SMSC delivers a message again.

It does so after an error, and if the link was lost before the acknowledgement. The identifier is a
digest of the PDU and a part that no other has. The same content keeps it until the acknowledgement
was sent: then it is another message, so that a person may write "yes" twice.

    state of a content      next
    unknown                 unacknowledged, with a new identifier: `find`
    unacknowledged          unknown: `acknowledge`; it is too old; the memory is full
    restored from the rows  unknown: the same; and SMS_REDELIVERY_SECONDS after the first message

A row that is restored may belong to a message that was acknowledged just before a crash, so that a
new message is lost: this ends soon. The other errors make a duplicate.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEPT_MS: Final = limits.INBOX_UNACKNOWLEDGED_HOURS * 60 * 60 * 1000
_RESTORED_MS: Final = limits.SMS_REDELIVERY_SECONDS * 1000


@dataclass(slots=True)
class _Unacknowledged:
    provider_id: str
    found_ms: int
    is_restored: bool = False


def digest_of(fields: Iterable[bytes]) -> str:
    """Return a digest of fields and their boundaries."""
    digest = hashlib.blake2b(digest_size=16)
    for each in fields:
        digest.update(len(each).to_bytes(4))
        digest.update(each)
    return digest.hexdigest()


class RedeliveryIds:
    """The identifiers of unacknowledged messages. ``token`` is unique to the process."""

    def __init__(self, token: str, known_max: int = limits.SMS_REDELIVERIES_KNOWN_MAX) -> None:
        self._token = token
        self._known_max = known_max
        self._known: OrderedDict[str, _Unacknowledged] = OrderedDict()
        self._made = 0
        # Set by the first message after `restore`.
        self._restored_until_ms: int | None = None

    def restore(self, stored: Iterable[tuple[str, int]]) -> list[str]:
        """Replace the memory by stored messages: identifiers and dates, oldest first.

        Returns the identifiers whose content has a later one: their messages were acknowledged, or
        else there would be no later one.
        """
        self._known.clear()
        self._restored_until_ms = None
        superseded = []
        for provider_id, date_ms in stored:
            digest = provider_id.partition("-")[0]
            earlier = self._known.pop(digest, None)
            if earlier is not None:
                superseded.append(earlier.provider_id)
            self._record(digest, _Unacknowledged(provider_id, date_ms, is_restored=True))
        return superseded

    def find(self, digest: str, now_ms: int) -> str:
        """Return the identifier: the same until `acknowledge`."""
        if self._restored_until_ms is None:
            self._restored_until_ms = now_ms + _RESTORED_MS
        known = self._known.get(digest)
        if known is not None:
            is_over = known.is_restored and now_ms >= self._restored_until_ms
            if not is_over and now_ms < known.found_ms + _KEPT_MS:
                return known.provider_id
        self._made += 1
        provider_id = f"{digest}-{self._token}-{self._made}"
        self._record(digest, _Unacknowledged(provider_id, now_ms))
        return provider_id

    def acknowledge(self, digest: str, provider_id: str) -> None:
        """Record that the SMSC has the acknowledgement: the same content is another message."""
        known = self._known.get(digest)
        if known is not None and known.provider_id == provider_id:
            del self._known[digest]

    def _record(self, digest: str, known: _Unacknowledged) -> None:
        self._known[digest] = known
        self._known.move_to_end(digest)
        if len(self._known) > self._known_max:
            self._known.popitem(last=False)
