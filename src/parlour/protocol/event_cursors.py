"""Cursors of the event feed: a number of the event log, sealed for an account.

The log is one for all accounts, so its numbers would show how busy the others are. AES-SIV
(RFC 5297) without a nonce: a number always gives the same cursor, and a cursor that was changed, or
is of another account, is not valid.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

_PREFIX: Final = "ec_"
_NUMBER_BYTES: Final = 8
# 24 bytes: the tag of 16, then the number.
_TEXT: Final = re.compile(r"ec_([0-9A-Za-z_-]{32})\Z")


class EventCursors:
    """Writes and reads cursors with one key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @cached_property
    def _cipher(self) -> AESSIV:
        # Imported at first use: loading the library takes longer than the rest of a start.
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV  # noqa: PLC0415

        return AESSIV(self._key)

    def write(self, account_sid: str, sequence: int) -> str:
        """Return the cursor of a number for an account."""
        number = sequence.to_bytes(_NUMBER_BYTES)
        sealed = self._cipher.encrypt(number, [account_sid.encode()])
        return _PREFIX + urlsafe_b64encode(sealed).decode()

    def parse(self, account_sid: str, text: str) -> int | None:
        """Return the number of a cursor of this account; None for any other text."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as above.

        match = _TEXT.match(text)
        if match is None:
            return None
        try:
            number = self._cipher.decrypt(urlsafe_b64decode(match[1]), [account_sid.encode()])
        except InvalidTag:
            return None
        return int.from_bytes(number)
