"""Frequent changes to a server's data, made by the test process.

The operator's commands do the same in separate processes, whose start takes most of a second.
Commands under test are run as such.
"""

from __future__ import annotations

from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, Any

from parlour.cli.local_store import LocalStore
from parlour.config import Settings
from parlour.resources import account_setup
from parlour.resources.accounts import actions as account_actions
from parlour.vocabulary import sids
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from parlour.store.transaction import Transaction


WRITE_SECONDS_MAX = 120.0


class OfflineWrites:
    """The data of a server, which may be running."""

    def __init__(self, data_dir: Path, database: str) -> None:
        self._offline = LocalStore(Settings(data=data_dir, database=database))

    def make_account(self) -> tuple[str, str]:
        """Create an account; return its sid and its auth token."""
        offline = self._offline
        sid, auth_token = offline.random.sid(sids.ACCOUNT), offline.random.token(16).hex()
        self._write(
            lambda tx: account_setup.create_account(
                tx, offline.vault, sid=sid, auth_token=auth_token, friendly_name="Account"
            )
        )
        return sid, auth_token

    def make_key(self, account_sid: str) -> tuple[str, str]:
        """Create an API key of an account; return its sid and its secret."""
        offline, scope = self._offline, Scope(account_sid)
        sid, secret = offline.random.sid(sids.API_KEY), offline.random.token(16).hex()
        self._write(
            lambda tx: account_actions.create_login(
                tx, offline.vault, scope, sid, secret, "API key"
            )
        )
        return sid, secret

    def set_auth_token(self, account_sid: str, auth_token: str) -> None:
        """Replace the auth token of an account."""
        offline = self._offline
        self._write(
            lambda tx: account_setup.ensure_account(tx, offline.vault, account_sid, auth_token)
        )

    def _write(self, work: Callable[[Transaction], Awaitable[Any]]) -> None:
        # In a thread, because the test's own may be running an event loop. A daemon instead of an
        # executor, which joins its threads at exit: a write that hangs fails its test and not the
        # whole run.
        outcome: Future[None] = Future()

        def write() -> None:
            try:
                outcome.set_result(self._offline.write(work))
            except BaseException as error:
                outcome.set_exception(error)

        Thread(target=write, name="concurrent", daemon=True).start()
        outcome.result(WRITE_SECONDS_MAX)
