"""What commands need that work on the data folder themselves, a running server or not.

A mistyped folder must not become a new store, so these commands open only a store that is there.
``account create`` makes one where the folder is named: the first account may precede the server.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from parlour.cli.command_errors import report_errors
from parlour.cli.options import settings_of, settings_options
from parlour.resources.accounts import store as account_store
from parlour.store.engines import database_exists, describe_database, make_store
from parlour.store.master_key import open_vault
from parlour.vocabulary.clock import SystemClock, SystemRandom
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.config import Settings
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import Work

T = TypeVar("T")


class NoStoreError(Exception):
    """There is no store where the settings say; the text names the place."""


class LocalStore:
    """The store and the vault of a data folder."""

    def __init__(self, settings: Settings, *, creates: bool = False) -> None:
        """``creates``: make the store if there is none.

        Raises NoStoreError, DatabaseError, Unavailable and OSError; work on the store also
        KeyFileError.
        """
        self._settings = settings
        self.random = SystemRandom()
        self._vault: Vault | None = None
        exists = asyncio.run(database_exists(settings.database, settings.data))
        if not exists and not creates:
            data = settings.data.absolute()
            where = "the database of --database" if settings.database else str(data)
            raise NoStoreError(
                f"there is no store in {where}: name its folder with --data "
                "(a new one is made by parlour serve)"
            )
        if not exists:
            settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def vault(self) -> Vault:
        """The vault of the store's key, for work that runs on the store."""
        assert self._vault is not None, "the store is not open yet"
        return self._vault

    def _run(self, work: Work[T], *, writes: bool) -> T:
        async def run() -> T:
            settings = self._settings
            store = make_store(
                settings.database, settings.data, SystemClock(), self.random, connections=1
            )
            try:
                await store.start()
                name = describe_database(settings.database, settings.data)
                self._vault = await open_vault(store, settings.data, self.random, name)
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

    def scope_of(self, account_sid: str) -> Scope:
        """Return the scope of an account. Raises ClickException if there is no such account."""
        scope = Scope(account_sid)
        if self.read(lambda tx: account_store.find_account(tx, scope)) is None:
            raise click.ClickException(f"there is no account {account_sid}")
        return scope


def local_store_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the data folder's store as its first argument, and ``--json``."""
    return _with_store(function, creates=False)


def creating_store_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Do the same, and make the store if there is none in a folder that the caller names."""
    return _with_store(function, creates=True)


def _with_store(function: Callable[..., Any], *, creates: bool) -> Callable[..., Any]:
    @settings_options("data", "database")
    @click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
    @functools.wraps(function)
    def command(*, data: Any, database: str, **values: Any) -> Any:
        settings = settings_of({"data": data, "database": database})
        try:
            with report_errors():
                local_store = LocalStore(settings, creates=creates and _is_named("data"))
                return function(local_store, **values)
        except (NoStoreError, OSError) as error:
            raise click.ClickException(str(error)) from error

    return command


def _is_named(setting: str) -> bool:
    """Return whether the caller gave a setting, on the command line or in the environment."""
    source = click.get_current_context().get_parameter_source(setting)
    return source not in {ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP, None}
