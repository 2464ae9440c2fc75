"""Cursors of the event feed: a number of the event log, sealed for an account.

The log is one for all accounts, so its numbers would show how busy the others are. AES-SIV
(RFC 5297): a cursor that was changed, or is of another account, is not valid.

The cursor of an event is always the same. The cursor of the end of the log has a random part: if
equal numbers gave equal cursors there, an account could see whether others have added events.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

_PREFIX: Final = "ec_"
_NUMBER_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_SEALED_BYTES: Final = 16 + _NUMBER_BYTES
# In base64: the sealed number, and for an end of the log the random part.
_TEXT: Final = re.compile(r"ec_([0-9A-Za-z_-]{32}(?:[0-9A-Za-z_-]{16})?)\Z")


class EventCursors:
    """Writes and reads cursors with one key of 32 bytes."""

    def __init__(self, key: bytes, token: Callable[[int], bytes]) -> None:
        """``token`` returns unpredictable bytes."""
        self._key = key
        self._token = token

    @cached_property
    def _cipher(self) -> AESSIV:
        # Imported at first use: loading the library takes longer than the rest of a start.
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV  # noqa: PLC0415

        return AESSIV(self._key)

    def write(self, account_sid: str, sequence: int) -> str:
        """Return the cursor of an event for its account."""
        return self._write(account_sid, sequence, b"")

    def write_end(self, account_sid: str, sequence: int) -> str:
        """Return a new cursor of a number that may be of another account's event."""
        return self._write(account_sid, sequence, self._token(_NONCE_BYTES))

    def _write(self, account_sid: str, sequence: int, nonce: bytes) -> str:
        number = sequence.to_bytes(_NUMBER_BYTES)
        sealed = self._cipher.encrypt(number, [account_sid.encode(), nonce])
        return _PREFIX + urlsafe_b64encode(sealed + nonce).decode()

    def parse(self, account_sid: str, text: str) -> int | None:
        """Return the number of a cursor of this account; None for any other text."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as above.

        match = _TEXT.match(text)
        if match is None:
            return None
        raw = urlsafe_b64decode(match[1])
        sealed, nonce = raw[:_SEALED_BYTES], raw[_SEALED_BYTES:]
        try:
            return int.from_bytes(self._cipher.decrypt(sealed, [account_sid.encode(), nonce]))
        except InvalidTag:
            return None
