"""The composition root: the only file that knows every concrete class."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from parlour.channels.outbound import OutboundSink
from parlour.channels.virtual import VirtualCarrier
from parlour.delivery.dispatcher import Dispatcher
from parlour.http.authentication import Authentication
from parlour.http.edge import Edge
from parlour.http.metrics import Metrics
from parlour.http.router import Router
from parlour.http.server import Server
from parlour.operations.admission import Admission
from parlour.operations.pipeline import Pipeline
from parlour.operations.scheduler import Scheduler
from parlour.protocol.pages import PageTokens
from parlour.protocol.vault import KEY_BYTES, Vault
from parlour.resources.accounts import actions as accounts
from parlour.resources.jobs import JOBS
from parlour.resources.table import operations
from parlour.store.sqlite import SqliteStore
from parlour.vocabulary import sids
from parlour.vocabulary.clock import SystemClock, SystemRandom
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.config import Settings
    from parlour.store.transaction import Transaction

DATABASE_NAME = "parlour.sqlite3"
KEY_NAME = "parlour.key"


class UnsafeKeyFileError(Exception):
    """The key file can be read by others, or is not a key."""


def load_vault(data: Path, random: SystemRandom) -> Vault:
    """The vault of a data folder. Its key is made at the first start, readable by its owner."""
    path = data / KEY_NAME
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(random.token(KEY_BYTES).hex())
            file.flush()
            os.fsync(file.fileno())
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UnsafeKeyFileError(f"{path} can be read by others: chmod 600 {path}")
    key = bytes.fromhex(path.read_text().strip())
    if len(key) != KEY_BYTES:
        raise UnsafeKeyFileError(f"{path} is not a key of {KEY_BYTES} bytes")
    return Vault(key, random.token)


class App:
    """One server: its store, its edges, and what runs in the background."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock, self.random = SystemClock(), SystemRandom()
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.vault = load_vault(settings.data, self.random)
        self.store = SqliteStore(settings.data / DATABASE_NAME, self.clock, self.random)
        self.metrics = Metrics()
        self.admission = Admission(
            in_all_max=settings.concurrent_requests_max,
            of_account_max=settings.concurrent_requests_per_account_max,
        )
        self.metrics.running = lambda: self.admission.running
        self.authentication = Authentication(self.store, self.vault, self.clock)
        self.pipeline = Pipeline(self.store, self.vault, revoked=self.authentication.forget)
        sinks = [OutboundSink(self.store, VirtualCarrier(self.random))]
        self.dispatcher = Dispatcher(self.store, sinks, self.clock)
        self.store.on_commit(self.dispatcher.wake)
        self.scheduler = Scheduler(self.store, self.clock, JOBS)
        self.store.on_commit(self.scheduler.hint)
        edge = Edge(self.pipeline, PageTokens(self.vault.page_token_key), settings.public_url)
        self.asgi = Server(
            Router(operations(), edge, self.metrics),
            authentication=self.authentication,
            admission=self.admission,
            metrics=self.metrics,
            clock=self.clock,
            random=self.random,
            request_log=settings.request_log,
        )

    async def start(self) -> None:
        """Make what the settings ask for, and begin what runs in the background."""
        if self.settings.account_sid:
            await self._ensure_account()
        await self.dispatcher.start()
        self.scheduler.start()

    async def _ensure_account(self) -> None:
        """Make sure that the configured account and key exist."""
        settings = self.settings

        async def ensure(tx: Transaction) -> None:
            await accounts.ensure_account(tx, self.vault, settings.account_sid, settings.auth_token)
            if settings.api_key_sid:
                await accounts.ensure_login(
                    tx,
                    self.vault,
                    Scope(settings.account_sid),
                    settings.api_key_sid,
                    settings.api_key_secret,
                    "Made by the settings",
                )

        await self.store.write(ensure)

    async def first_account(self) -> tuple[str, str] | None:
        """Make an account if there is none yet; its sid and auth token, to be shown once."""
        from parlour.resources.accounts import store as account_store  # noqa: PLC0415

        async def ensure(tx: Transaction) -> tuple[str, str] | None:
            if await account_store.list_accounts(tx, "", 1):
                return None
            sid, token = tx.new_sid(sids.ACCOUNT), self.random.token(16).hex()
            await accounts.create_account(
                tx, self.vault, sid=sid, auth_token=token, friendly_name="First account"
            )
            return sid, token

        return await self.store.write(ensure)

    async def stop(self) -> None:
        """Finish what was accepted, and close the store."""
        await self.scheduler.stop()
        await self.dispatcher.stop()
        await self.store.close()
