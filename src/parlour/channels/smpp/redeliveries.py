"""Identifiers of inbound messages: SMPP has none, but an SMSC delivers a message again.

It does so after an error, and if the link was lost before the acknowledgement. The identifier is a
digest of the PDU, the period of `limits.SMS_REDELIVERY_SECONDS` and a count: the same content gets
another count once the previous message was acknowledged, so that a person may write "yes" twice.
The count is in memory. After a crash it starts again, and so a message that was stored but not
acknowledged gets the identifier that is stored.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(slots=True)
class _Known:
    provider_id: str
    period: int
    count: int
    is_acknowledged: bool = False


def digest_of(fields: Iterable[bytes]) -> str:
    """Return a digest of fields and their boundaries."""
    digest = hashlib.blake2b(digest_size=16)
    for each in fields:
        digest.update(len(each).to_bytes(4))
        digest.update(each)
    return digest.hexdigest()


class RedeliveryIds:
    """The identifiers of the last inbound messages. ``token`` is unique to the process."""

    def __init__(self, token: str, known_max: int = limits.SMS_REDELIVERIES_KNOWN_MAX) -> None:
        self._token = token
        self._known_max = known_max
        self._known: OrderedDict[str, _Known] = OrderedDict()
        # The last period of which an entry was evicted: its unknown contents may be new messages.
        self._evicted_period = -1
        self._unique = 0

    def find(self, digest: str, now_ms: int) -> str:
        """Return the identifier: the same until `acknowledge`."""
        period = now_ms // (limits.SMS_REDELIVERY_SECONDS * 1000)
        known = self._known.get(digest)
        if known is not None and not known.is_acknowledged:
            return known.provider_id
        if known is None and period == self._evicted_period:
            self._unique += 1
            provider_id = f"{digest}-{self._token}-{self._unique}"
            self._record(digest, _Known(provider_id, period, 0))
            return provider_id
        count = known.count + 1 if known is not None and known.period == period else 0
        provider_id = f"{digest}-{period}-{count}"
        self._record(digest, _Known(provider_id, period, count))
        return provider_id

    def acknowledge(self, digest: str) -> None:
        """Record that the SMSC has the acknowledgement: the next one is another message."""
        known = self._known.get(digest)
        if known is not None:
            known.is_acknowledged = True

    def _record(self, digest: str, known: _Known) -> None:
        self._known[digest] = known
        self._known.move_to_end(digest)
        if len(self._known) > self._known_max:
            _, evicted = self._known.popitem(last=False)
            self._evicted_period = max(self._evicted_period, evicted.period)
