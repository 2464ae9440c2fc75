"""The ready file: URL and credentials of a server, for the program that started it.

| state of the file | meaning |
|---|---|
| absent | the server is not ready; a file of an earlier run is removed before the start |
| present | requests are served; the content is complete, since the file is renamed into place |

A clean stop removes it. After a crash it remains; ``pid`` tells whether that process still runs.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from parlour import __version__
from parlour.resources.configuration import store as configuration_store
from parlour.vocabulary.client_urls import SOCKET_PATH
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.config import Settings
    from parlour.store.transaction import Store, Transaction


class ReadyFile:
    """The file of the setting ``ready_file``."""

    def __init__(self, settings: Settings, store: Store, first: tuple[str, str] | None) -> None:
        """``first``: SID and auth token of an account that this start created, or None."""
        self._settings = settings
        self._store = store
        self._account_sid = settings.account_sid or (first[0] if first else "")
        # Secrets are not decrypted for this file: secrets of the settings are known to the caller,
        # and the auth token of a new account is printed anyway.
        self._auth_token = settings.auth_token or (first[1] if first else "")

    async def write(self, url: str, pid: int) -> None:
        """Write the file for the server at ``url``, whose port is the listening port.

        Does nothing if the file exists: a worker that replaces a dead one has no other content.
        Raises OSError.
        """
        path = Path(self._settings.ready_file)
        port = urlsplit(url).port
        assert port is not None, url
        public = (self._settings.public_url or url).rstrip("/")
        content = {
            "url": public,
            "ws_url": "ws" + public.removeprefix("http") + SOCKET_PATH,
            "port": port,
            "pid": pid,
            "version": __version__,
            "account_sid": self._account_sid or None,
            "auth_token": self._auth_token or None,
            "api_key_sid": self._settings.api_key_sid or None,
            "api_key_secret": self._settings.api_key_secret or None,
            "service_sid": await self._default_service() if self._account_sid else None,
        }
        _write_whole(path, json.dumps(content).encode() + b"\n")

    async def _default_service(self) -> str:
        scope = Scope(self._account_sid)

        async def read(tx: Transaction) -> str:
            return (await configuration_store.get_configuration(tx, scope)).default_chat_service_sid

        return await self._store.read(read, account_sid=self._account_sid)


def remove_old(path: Path) -> None:
    """Remove the file of an earlier run. Raises OSError, also if the folder does not exist."""
    if not path.parent.is_dir():
        raise NotADirectoryError(f"{path.parent} is not a folder")
    path.unlink(missing_ok=True)


def remove_own(path: Path) -> None:
    """Remove the file at a clean stop, unless another server has written it since."""
    try:
        pid = json.loads(path.read_bytes())["pid"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return
    if pid == os.getpid():
        path.unlink(missing_ok=True)


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically, readable for its owner only, since it may contain secrets."""
    if path.exists():
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    unfinished.replace(path)
