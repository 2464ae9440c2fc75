"""Access of commands to the store of a data folder, with or without a running server.

A mistyped folder must not become a new store, so these commands open existing stores only.
``account create`` creates one if the folder is given explicitly: the first account may be created
before the first start.
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
    """There is no store at the configured place; the message names it."""


class LocalStore:
    """The store and the vault of a data folder."""

    def __init__(self, settings: Settings, *, creates: bool = False) -> None:
        """``creates``: create the store if there is none.

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
                "(parlour serve creates a new one)"
            )
        if not exists:
            settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def vault(self) -> Vault:
        """The vault of the store's key; available to work that runs on the store."""
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
        """Run work in a read transaction."""
        return self._run(work, writes=False)

    def write(self, work: Work[T]) -> T:
        """Run work in a write transaction."""
        return self._run(work, writes=True)

    def scope_of(self, account_sid: str) -> Scope:
        """Return the scope of an account. Raises ClickException if there is no such account."""
        scope = Scope(account_sid)
        if self.read(lambda tx: account_store.find_account(tx, scope)) is None:
            raise click.ClickException(f"there is no account {account_sid}")
        return scope


def local_store_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the settings of the store and ``--json``; the command gets the store as argument."""
    return _with_store(function, creates=False)


def creating_store_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Do the same, and create the store if there is none in an explicitly given folder."""
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
    """Return whether a setting was given on the command line or in the environment."""
    source = click.get_current_context().get_parameter_source(setting)
    return source not in {ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP, None}
