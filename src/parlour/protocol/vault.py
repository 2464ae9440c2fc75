"""Secrets at rest: a keyed digest for comparison, encryption where the value is needed again.

Auth tokens and API key secrets sign webhooks and access tokens, so they are encrypted with
AES-256-GCM, with their row as associated data. Secrets that are only compared are stored as a keyed
BLAKE2b digest. The master key is outside the database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import cached_property
from typing import TYPE_CHECKING, Final

from parlour.protocol.event_cursors import EventCursors

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_SECRET_BYTES: Final = 16


class Vault:
    """Encrypts and compares secrets with one master key."""

    def __init__(self, key: bytes, token: Callable[[int], bytes]) -> None:
        """``key``: 32 bytes; ``token`` returns unpredictable bytes."""
        assert len(key) == KEY_BYTES
        self._token = token
        self._digest_key = self._derive(key, b"digest")
        self._seal_key = self._derive(key, b"seal")
        self.page_token_key = self._derive(key, b"page-token")
        self.continuation_key = self._derive(key, b"continuation")
        self.media_url_key = self._derive(key, b"media-url")
        self._event_cursor_key = self._derive(key, b"event-cursor")
        self.fingerprint = self._derive(key, b"fingerprint")[:_SECRET_BYTES].hex()

    @staticmethod
    def _derive(key: bytes, purpose: bytes) -> bytes:
        return hmac.digest(key, b"parlour:" + purpose, hashlib.sha256)

    @cached_property
    def event_cursors(self) -> EventCursors:
        """The cursors of the event feed."""
        return EventCursors(self._event_cursor_key, self._token)

    @cached_property
    def _cipher(self) -> AESGCM:
        # Imported at first use: loading the library takes longer than the rest of a start.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        return AESGCM(self._seal_key)

    def new_secret(self) -> str:
        """Return a random secret: 32 hexadecimal digits."""
        return self._token(_SECRET_BYTES).hex()

    def digest(self, secret: str) -> str:
        """Return the keyed digest of a secret: 64 hexadecimal digits.

        Computed for every request, so it is keyed BLAKE2b: HMAC through the system's library
        takes ten times as long.
        """
        text = secret.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._digest_key, digest_size=32).hexdigest()

    @staticmethod
    def digests_equal(one: str, other: str) -> bool:
        """Return whether two digests are equal, in constant time."""
        return hmac.compare_digest(one, other)

    def seal(self, secret: str, bound_to: str) -> str:
        """Encrypt a secret for the row named by ``bound_to``."""
        nonce = self._token(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, secret.encode(), bound_to.encode())
        return base64.b64encode(nonce + sealed).decode()

    def unseal(self, sealed: str, bound_to: str) -> str:
        """Decrypt a secret. Raises InvalidTag for another row, another key or a changed value."""
        raw = base64.b64decode(sealed)
        nonce, text = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
        return self._cipher.decrypt(nonce, text, bound_to.encode()).decode()

    def can_unseal(self, sealed: str, bound_to: str) -> bool:
        """Return whether this key encrypted a value for the row named by ``bound_to``."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as in `_cipher`.

        try:
            self.unseal(sealed, bound_to)
        except InvalidTag:
            return False
        return True
