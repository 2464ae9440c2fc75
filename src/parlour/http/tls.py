"""TLS of the server's port: the certificate and its key, checked, loaded and reloaded.

Only the owner of the key may have access to it. A key of root may also be readable by a group, such
as Debian's ``ssl-cert``: root decides who may use it.
"""

from __future__ import annotations

import os
import ssl
import stat
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from pathlib import Path

_ROOT = 0


class TlsFilesError(Exception):
    """The certificate or its key cannot be used; the text is the reason and the remedy."""


class Tls:
    """The TLS context of one server."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self.context = self._made()

    def reload(self) -> None:
        """Reload the files; open connections keep their certificate.

        Files that cannot be used raise, and change nothing.
        """
        # First into a new context: a failure must not leave the active one half loaded.
        self._made()
        self._load(self.context)

    def _made(self) -> ssl.SSLContext:
        for path in (self._certificate, self._key):
            _must_be_readable(path)
        _must_be_private(self._key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # No HTTP/2: clients that offer it negotiate HTTP/1.1 by ALPN.
        context.set_alpn_protocols(["http/1.1"])
        self._load(context)
        return context

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self._certificate, self._key, password=self._no_passphrase)
        except ssl.SSLError as error:
            text = f"{self._certificate} and {self._key} are not a certificate and its key in PEM"
            raise TlsFilesError(f"{text}: {error.reason or error}") from error

    def _no_passphrase(self) -> NoReturn:
        # Without this callback the library prompts on the terminal.
        raise TlsFilesError(f"{self._key} has a passphrase: store the key without one")


def _must_be_readable(path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise TlsFilesError(f"cannot read {path}: {error.strerror}") from error


def _must_be_private(key: Path) -> None:
    status = key.stat()
    allowed = stat.S_IRWXU
    if status.st_uid == _ROOT != os.geteuid():
        allowed |= stat.S_IRGRP
    if stat.S_IMODE(status.st_mode) & ~allowed:
        raise TlsFilesError(f"{key} can be read by others: chmod 600 {key}")
