"""What commands need that work on the data folder themselves, a running server or not."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, TypeVar

import click

from parlour.app import load_vault
from parlour.cli.options import settings_of, settings_options
from parlour.store.engines import make_store
from parlour.vocabulary.clock import SystemClock, SystemRandom

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.config import Settings
    from parlour.store.transaction import Work

T = TypeVar("T")


class Offline:
    """The store and the vault of a data folder."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.random = SystemRandom()
        self.vault = load_vault(settings.data, self.random)

    def _run(self, work: Work[T], *, writes: bool) -> T:
        async def run() -> T:
            settings = self._settings
            store = make_store(
                settings.database, settings.data, SystemClock(), self.random, connections=1
            )
            try:
                await store.start()
                return await (store.write(work) if writes else store.read(work))
            finally:
                await store.close()

        return asyncio.run(run())

    def read(self, work: Work[T]) -> T:
        """Run reading work."""
        return self._run(work, writes=False)

    def write(self, work: Work[T]) -> T:
        """Run a change."""
        return self._run(work, writes=True)


def offline_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the data folder's store as its first argument, and ``--json``."""

    @settings_options("data", "database")
    @click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
    @functools.wraps(function)
    def command(*, data: Any, database: str, **values: Any) -> Any:
        offline = Offline(settings_of({"data": data, "database": database}))
        return function(offline, **values)

    return command
