"""Composition of test mode: the parts that test functions act on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from parlour.operations.action_rates import ActionRates
from parlour.operations.pacing import UNPACED
from parlour.resources.console_sessions import lifecycle as console_session_lifecycle
from parlour.testmode.accounts.registry import TestAccounts
from parlour.testmode.browser_guard import BrowserGuard
from parlour.testmode.clock.clock_control import ClockControl
from parlour.testmode.clock.steered_clock import SteeredClock
from parlour.testmode.clock.token_dates import SteeredTokenDates
from parlour.testmode.emulation.emulations import Emulations
from parlour.testmode.faults.wiring import Faults
from parlour.testmode.reset.media_files import MediaFiles
from parlour.testmode.reset.resetter import Resetter
from parlour.testmode.reset.start_state import StartState
from parlour.testmode.seeded_random import SeededRandom
from parlour.testmode.seeds.steering import SeedEmulation, ServerSteering
from parlour.testmode.settlement.wiring import make_settler
from parlour.testmode.snapshots.clock_state import clock_state_of
from parlour.testmode.snapshots.snapshot_library import SnapshotLibrary
from parlour.testmode.table import bound_operations

if TYPE_CHECKING:
    from parlour.channels.wiring import Channels
    from parlour.config import Settings
    from parlour.delivery.attempts import SigningCache
    from parlour.delivery.pre_action import PreActionWebhooks
    from parlour.delivery.webhook_sink import WebhookSink
    from parlour.dispatch.dispatcher import Dispatcher
    from parlour.egress.client import Egress
    from parlour.http.authentication import Authentication
    from parlour.http.server import HttpServer
    from parlour.operations.admission import Admission
    from parlour.operations.operation import Operation
    from parlour.operations.pipeline import Pipeline
    from parlour.operations.request_journal import RequestJournal
    from parlour.operations.scheduler import Scheduler
    from parlour.operations.waiting_lists import WaitingLists
    from parlour.protocol.vault import Vault
    from parlour.realtime.wiring import Realtime
    from parlour.resources.accounts.login_gate import LoginGate
    from parlour.resources.conversation_with_participants.background_create import BackgroundCreate
    from parlour.resources.tokens.verification import AccessTokenVerifier
    from parlour.store.blobs import DiskBlobStore
    from parlour.store.sqlite.engine import SqliteStore
    from parlour.testmode.seeds.files import SeedFiles
    from parlour.testmode.seeds.seeder import Seeder
    from parlour.vocabulary.clock import Clock, Random


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHandles:
    """The parts of the running server that test functions act on."""

    store: SqliteStore
    vault: Vault
    blobs: DiskBlobStore
    pipeline: Pipeline
    admission: Admission
    authentication: Authentication
    login_gate: LoginGate
    signer: SigningCache
    pre_action_hook: PreActionWebhooks
    access_tokens: AccessTokenVerifier
    egress: Egress
    webhooks: WebhookSink
    dispatcher: Dispatcher
    channels: Channels
    background_create: BackgroundCreate
    scheduler: Scheduler
    waiting_lists: WaitingLists
    journal: RequestJournal
    server: HttpServer
    realtime: Realtime


class TestMode:
    """The test functions of one server.

    It is made before the server, which takes its clock and its randomness, and its hooks.
    """

    __test__ = False  # The class is not a collection of tests.

    def __init__(self, settings: Settings, clock: Clock, random: Random) -> None:
        """Raises `StartupError` if the export at the end cannot be written."""
        if settings.export_on_exit:
            from parlour.testmode.seeds.files import SeedFiles  # noqa: PLC0415 - as below.

            SeedFiles.require_folder_of(Path(settings.export_on_exit))
        self.settings = settings
        self.pacing = UNPACED
        self.clock = SteeredClock(clock)
        self.emulations = Emulations(is_strict=settings.strict)
        self.token_dates = SteeredTokenDates(self.clock, self.emulations.token_clock)
        self.random = SeededRandom(settings.random_seed or None, random)
        self.faults = Faults(self.emulations, self.clock, self.random)
        self.browser_guard = BrowserGuard(settings.allow_origin)
        self._has_started = False

    def attach(self, handles: ServerHandles) -> None:
        """Take the parts of the server, once all are made and before any has started."""
        self.handles = handles
        handles.store.is_repeated = self.random.is_repeated
        rates = handles.pipeline.action_rates
        self.settler = make_settler(handles, self.clock, self.faults.open_work)
        self.faults.attach(handles)
        self.clock_control = ClockControl(handles, self.clock, self.settler)
        start = StartState(self.settings, handles.vault, self.random, self.clock_control.reset)
        media_files = MediaFiles(handles.blobs)
        self.resetter = Resetter(handles, start, media_files)
        self.snapshots = SnapshotLibrary(handles, self.clock, self.resetter, media_files)
        self.snapshots.add_part(*clock_state_of(self.clock, self.clock_control, handles.store))
        for part in (self.faults.rules, self.emulations):
            self.snapshots.add_part(part.save, part.restore)
        for forget in (self.faults.forget, self.emulations.forget, handles.journal.forget):
            self.resetter.on_reset(forget)
        if isinstance(rates, ActionRates):
            self.resetter.on_reset(rates.forget)
        self.accounts = TestAccounts(handles, self.resetter)
        self.clock_control.finish_removals = self.accounts.finish_removals
        if self.settings.open_accounts:
            handles.authentication.open_account = self.accounts.open

    @cached_property
    def seeder(self) -> Seeder:
        """What loads and exports seeds; it is imported at its first use, after the start."""
        from parlour.testmode.seeds.seeder import Seeder  # noqa: PLC0415 - a third of the imports.

        steering = ServerSteering(self.clock, self.clock_control, self.random)
        emulation = SeedEmulation(self.emulations)
        return Seeder(self.handles.store, self.clock.real, steering, emulation)

    @cached_property
    def seed_files(self) -> SeedFiles:
        """The seeds of the start."""
        from parlour.testmode.seeds.files import SeedFiles  # noqa: PLC0415 - as above.

        return SeedFiles(self.seeder, self.settings.seed, os.environ)

    async def start(self) -> None:
        """Start, after all parts of the server. Raises `StartupError` for a wrong seed."""
        await self.handles.store.write(console_session_lifecycle.end_sessions_of_processes)
        if self.settings.seed:
            await self.seed_files.load(self.settings.account_sid)
        self._has_started = True

    def end_waits(self) -> None:
        """End what requests wait for: the server stops once they are answered."""
        self.handles.waiting_lists.stop()
        self.faults.forget(None)

    async def stop(self) -> None:
        """Stop, before any part of the server."""
        await self.clock_control.stop()
        await self.accounts.finish_removals()
        if self.settings.export_on_exit and self._has_started:
            await self.seed_files.export_at_end(
                self.settings.account_sid, Path(self.settings.export_on_exit)
            )

    def operations(self) -> tuple[Operation, ...]:
        """Return the test functions, bound to this object."""
        return bound_operations(self)
