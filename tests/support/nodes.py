"""Several nodes that serve one PostgreSQL database."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.postgres import Postgres

KEY = "parlour.key"


class Nodes:
    """Servers with one account and one key, each in a folder of its own."""

    def __init__(
        self, postgres: Postgres, folder: Path, count: int, env: Mapping[str, str] | None = None
    ) -> None:
        """Prepare them on a new database; ``env`` is for each."""
        self.url = postgres.make_database()
        every = dict(env or {}) | {"PARLOUR_DATABASE": self.url}
        self.servers = [Server(folder / f"node{number}", every) for number in range(count)]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start them one after the other."""
        first, *others = self.servers
        self._stack.enter_context(first)
        for server in others:
            server.account_sid, server.auth_token = first.account_sid, first.auth_token
            server.data_dir.mkdir(parents=True)
            shutil.copy(first.data_dir / KEY, server.data_dir / KEY)
            self._stack.enter_context(server)
        return self

    def __exit__(self, *_: object) -> None:
        """End them all."""
        self._stack.close()
