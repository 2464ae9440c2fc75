"""The composition root: the only module that imports every concrete class.

Test mode is imported only for a server that starts in it.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from parlour.channels.carriers_file import read_carriers_file, without_file
from parlour.channels.media_links import MediaLinks
from parlour.channels.wiring import ChannelParts, Channels
from parlour.console.first_request import make_console
from parlour.delivery.wiring import WebhookParts, make_webhooks
from parlour.dispatch.dispatcher import Dispatcher
from parlour.egress.wiring import make_egress
from parlour.http import open_files
from parlour.http.authentication import Authentication
from parlour.http.client_addresses import ClientAddresses
from parlour.http.connections import HttpConnections, connection_caps
from parlour.http.metrics import Metrics, buffer_metrics, connection_metrics
from parlour.http.wiring import HttpParts, make_server
from parlour.inspection.loop_lag import LoopLag
from parlour.operations.action_rates import ActionRates
from parlour.operations.admission import Admission
from parlour.operations.buffers import BufferPool
from parlour.operations.minute_metrics import MinuteMetrics
from parlour.operations.pacing import Pacing
from parlour.operations.pipeline import Pipeline
from parlour.operations.scheduler import Job, Scheduler
from parlour.operations.server_parts import ServerParts
from parlour.operations.waiting_lists import WaitingLists
from parlour.protocol.media_urls import MediaUrls
from parlour.protocol.pages import PageTokens
from parlour.realtime.command_records import CommandRecorder
from parlour.realtime.commands import Commands
from parlour.realtime.connected_clients import ConnectedClients
from parlour.realtime.wiring import Realtime
from parlour.resources import account_setup
from parlour.resources.accounts.login_gate import LoginGate
from parlour.resources.action_settings import action_settings
from parlour.resources.console_audit.trail import make_audit_trail
from parlour.resources.conversation_with_participants.background_create import BackgroundCreate
from parlour.resources.jobs import jobs
from parlour.resources.request_journal import make_journal
from parlour.resources.server.description import describe_server, node_name
from parlour.resources.table import operations
from parlour.resources.tokens.verification import AccessTokenVerifier
from parlour.store.blobs import MEDIA_FOLDER, DiskBlobStore
from parlour.store.engines import open_store
from parlour.store.leases import lease_factory
from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock, SystemRandom

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from parlour.channels.carriers_file import CarrierSettings
    from parlour.config import Settings
    from parlour.delivery.attempts import Send
    from parlour.delivery.wiring import Webhooks
    from parlour.dispatch.hints import Hints
    from parlour.http.server import HttpServer
    from parlour.operations.node_reports import NodeInspector
    from parlour.operations.operation import Operation
    from parlour.protocol.vault import Vault
    from parlour.store.leases import Lease
    from parlour.store.transaction import Store
    from parlour.testmode.wiring import TestMode
    from parlour.vocabulary.clock import Clock, Random


async def open_app(settings: Settings, clock: Clock | None = None) -> App:
    """Open the store and its key, and return the server that these settings describe.

    ``clock`` is passed to every component; by default it is the machine's. A test passes one that
    it advances itself (docs/decisions/0025-clock-and-timers.md).
    Raises CarriersFileError, KeyFileError, DatabaseError, Unavailable and OSError; then nothing was
    changed but the initial content of a new store.
    """
    path = Path(settings.carriers)
    carriers = read_carriers_file(path, os.environ) if settings.carriers else without_file()
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    clock = clock or SystemClock()
    random: Random = SystemRandom()
    test_mode = _test_mode(settings, clock, random)
    if test_mode is not None:
        clock, random = test_mode.clock, test_mode.random
    store, vault = await open_store(
        settings.database,
        settings.data,
        clock,
        random,
        connections=settings.database_connections,
        is_durable=test_mode is None,
    )
    return App(settings, carriers, store, vault, clock, random, test_mode=test_mode)


def _test_mode(settings: Settings, clock: Clock, random: Random) -> TestMode | None:
    """Return the test functions, around these sources of time and randomness; None if off."""
    if not settings.test:
        return None
    from parlour.testmode.wiring import TestMode  # noqa: PLC0415 - with --test only.

    return TestMode(settings, clock, random)


class App:
    """One server: its store, its edges, and its background tasks."""

    setting_sources: Mapping[str, str] = MappingProxyType({})
    """Where settings came from: ``environment`` or ``option``, else the default."""

    def __init__(
        self,
        settings: Settings,
        carriers: CarrierSettings,
        store: Store,
        vault: Vault,
        clock: Clock,
        random: Random,
        *,
        test_mode: TestMode | None,
    ) -> None:
        """``store`` is started, on the same clock, and ``vault`` holds its key: see `open_app`."""
        self.settings, self.test_mode = settings, test_mode
        self._pacing = Pacing() if test_mode is None else test_mode.pacing
        self.clock, self.random = clock, random
        self.store, self.vault = store, vault
        self._operations = self._all_operations()
        self.blobs = DiskBlobStore(settings.data / MEDIA_FOLDER)
        self.media_urls = MediaUrls(vault.media_url_key)
        self.by_minute = MinuteMetrics(self.clock)
        self.metrics = Metrics(self.by_minute)
        self.admission = Admission(
            self.clock,
            in_all_max=settings.concurrent_requests_max,
            of_account_max=settings.concurrent_requests_per_account_max,
        )
        self.metrics.running = lambda: self.admission.running
        self.buffers = BufferPool(
            settings.buffer_bytes_max,
            settings.buffer_bytes_max // limits.BUFFER_UNAUTHENTICATED_PART,
        )
        self.metrics.sources.append(partial(buffer_metrics, self.buffers))
        self.authentication = self._make_authentication()
        self.client_addresses = ClientAddresses(settings.trusted_proxies)
        self.egress = make_egress(settings)
        self.waiting_lists = WaitingLists(self.store, self.clock)
        self.store.on_commit(self.waiting_lists.wake)
        self.journal = make_journal(
            self._operations, self.clock, self.waiting_lists, has_details=settings.test
        )
        self._delivery = self._make_delivery()
        self.webhooks = self._delivery.sink
        self.metrics.sources.append(self.webhooks.metrics)
        self.pipeline = self._make_pipeline(carriers)
        # The report on queues shows the first word.
        owner = f"{node_name()} {self.random.token(16).hex()}"
        lease = lease_factory(self.store, self.clock, owner)
        self.dispatcher = self._make_dispatcher(lease)
        self.channels = self._make_channels(carriers, lease("carriers"))
        self.background_create = BackgroundCreate(self._delivery.pre_action_hook)
        self.scheduler = self._make_scheduler(lease("jobs"))
        self._lag = LoopLag(self.by_minute)
        self.server = self._make_server()
        self.realtime = self._make_realtime()
        self.hints = self._make_hints()
        self.metrics.sources.append(self.realtime.metrics)
        self.store.on_commit(self.realtime.wake)
        if self.test_mode is not None:
            self._attach(self.test_mode)

    def _attach(self, test_mode: TestMode) -> None:
        """Give the parts of this server to its test functions."""
        from parlour.testmode.wiring import ServerHandles  # noqa: PLC0415 - with --test only.

        assert isinstance(self.store, SqliteStore)
        test_mode.attach(
            ServerHandles(
                store=self.store,
                vault=self.vault,
                blobs=self.blobs,
                pipeline=self.pipeline,
                admission=self.admission,
                authentication=self.authentication,
                login_gate=self.login_gate,
                signer=self._delivery.signer,
                pre_action_hook=self._delivery.pre_action_hook,
                access_tokens=self.access_tokens,
                egress=self.egress,
                webhooks=self.webhooks,
                dispatcher=self.dispatcher,
                channels=self.channels,
                background_create=self.background_create,
                scheduler=self.scheduler,
                waiting_lists=self.waiting_lists,
                journal=self.journal,
                server=self.server,
                realtime=self.realtime,
            )
        )

    def _make_delivery(self) -> Webhooks:
        return make_webhooks(
            WebhookParts(
                settings=self.settings,
                store=self.store,
                vault=self.vault,
                sender_of=self._webhook_sender,
                clock=self.clock,
                random=self.random,
                is_throttled=self._is_throttled,
                on_logged=self.waiting_lists.publish_attempts,
            )
        )

    def _make_dispatcher(self, lease: Callable[[str], Lease]) -> Dispatcher:
        dispatcher = Dispatcher(
            self.store,
            [self.webhooks],
            self.clock,
            lease=lease,
            pause_ms=self._pacing.sink_pause_ms,
            retires=self._pacing.deletes_logs,
        )
        self.store.on_commit(dispatcher.wake)
        return dispatcher

    def _make_scheduler(self, lease: Lease) -> Scheduler:
        scheduler = Scheduler(
            self.store,
            self.clock,
            self._jobs(),
            lease,
            debounce_ms=self._pacing.scheduler_debounce_ms,
            interval_ms_min=self._pacing.scheduler_interval_ms_min,
        )
        self.store.on_commit(scheduler.wake)
        return scheduler

    def _make_channels(self, carriers: CarrierSettings, lease: Lease) -> Channels:
        parts = ChannelParts(
            store=self.store,
            blobs=self.blobs,
            clock=self.clock,
            random=self.random,
            public_url=self.settings.public_url,
            media_links=MediaLinks(self.settings, self.media_urls, self.clock),
            pre_action_hook=self._delivery.pre_action_hook,
            auth_token_of=self._delivery.signer.auth_token_of,
            debounce_ms=self._pacing.outbox_debounce_ms,
        )
        channels = Channels(carriers, lease, parts)
        self.store.on_commit(channels.wake)
        self.metrics.sources.append(channels.outbox.collect)
        return channels

    def _make_inspector(self, carriers: CarrierSettings) -> NodeInspector:
        from parlour.inspection.node import InspectedParts, NodeInspection  # noqa: PLC0415

        parts = InspectedParts(
            settings=self.settings,
            carriers=carriers,
            store=self.store,
            admission=self.admission,
            by_minute=self.by_minute,
            dispatcher=self.dispatcher,
            channels=self.channels,
            scheduler=self.scheduler,
        )
        return NodeInspection(parts, self.setting_sources)

    def _make_pipeline(self, carriers: CarrierSettings) -> Pipeline:
        settings, rate = self.settings, self.settings.actions_per_second
        started_ms, is_test = SystemClock().now_ms(), self.test_mode is not None
        self._server_parts = ServerParts(
            description=describe_server(
                self._operations, started_ms, is_shared=self.store.is_shared, is_test=is_test
            ),
            clock=self.clock,
            journal=self.journal,
            webhooks=self._delivery.samples,
            endpoints=self.webhooks,
            by_minute=self.by_minute,
            access_tokens=self.access_tokens,
            make_inspector=partial(self._make_inspector, carriers),
        )
        return Pipeline(
            self.store,
            self.vault,
            on_login_revoked=self.authentication.evict,
            pre_action_hook=self._delivery.pre_action_hook,
            action_rates=ActionRates(self.clock, rate) if rate else None,
            settings=action_settings(settings),
            server_parts=self._server_parts,
            audit=make_audit_trail(self.clock),
        )

    def _all_operations(self) -> tuple[Operation, ...]:
        """Return the operations of this server, test functions included."""
        if self.test_mode is None:
            return operations()
        return (*operations(), *self.test_mode.operations())

    def _jobs(self) -> tuple[Job, ...]:
        hours = self.settings.webhook_retention_hours if self._pacing.deletes_logs else None
        common = jobs(self.background_create, self.blobs, self.clock, retention_hours=hours)
        return (*common, *self.channels.jobs())

    def _make_server(self) -> HttpServer:
        return make_server(
            HttpParts(
                settings=self.settings,
                store=self.store,
                blobs=self.blobs,
                clock=self.clock,
                random=self.random,
                vault=self.vault,
                operations=self._operations,
                pipeline=self.pipeline,
                waiting_lists=self.waiting_lists,
                authentication=self.authentication,
                access_tokens=self.access_tokens,
                client_addresses=self.client_addresses,
                admission=self.admission,
                metrics=self.metrics,
                media_urls=self.media_urls,
                egress=self.egress,
                phone_sends=self.channels.phone_sends,
                phone_copies=self.channels.phone_copies,
                callbacks=self.channels.callbacks,
                journal=self.journal,
                make_console=make_console,
                guard=None if self.test_mode is None else self.test_mode.browser_guard.check,
            )
        )

    def connections(self) -> HttpConnections:
        """Return the HTTP connections of this process; called in its event loop."""
        made = HttpConnections(
            self.server,
            self.realtime.open_socket,
            self.buffers,
            # The header Date is real time, so that caches and clients are not misled.
            self.clock if self.test_mode is None else self.test_mode.clock.real,
            connection_caps(self.settings, self.client_addresses.is_trusted),
        )
        lists, mode = self.waiting_lists, self.test_mode
        made.on_stop = lists.stop if mode is None else mode.end_waits
        self.metrics.sources.append(partial(connection_metrics, made))
        return made

    def _make_authentication(self) -> Authentication:
        salt = self.vault.digest(self.random.token(16).hex()).encode()
        self.login_gate = LoginGate(self.store, self.clock, salt)
        self.metrics.sources.append(self.login_gate.metrics)
        dates = None if self.test_mode is None else self.test_mode.token_dates
        self.access_tokens = AccessTokenVerifier(
            self.store, self.vault, self.clock, self.login_gate, dates=dates
        )
        return Authentication(self.login_gate, self.vault, self.clock)

    def _make_hints(self) -> Hints | None:
        """Return the notifier of other nodes about commits, if Redis is configured."""
        if not self.settings.redis:
            return None
        # The Redis client is slow to import, and needed by several nodes only.
        from parlour.dispatch.hints import Hints  # noqa: PLC0415

        hub, node = self.realtime.hub, self.random.token(16).hex()
        hints = Hints(self.settings.redis, node, self._wake, hub.on_remote_typing)
        hub.relay_typing = hints.publish_typing
        self.store.on_commit(hints.committed)
        return hints

    def _wake(self) -> None:
        """Wake all consumers: another node committed a change."""
        for part in (self.dispatcher, self.channels, self.scheduler, self.realtime):
            part.wake()
        self.waiting_lists.wake()

    def _make_realtime(self) -> Realtime:
        page_tokens = PageTokens(self.vault.page_token_key)
        made = Realtime(
            self.store,
            self.vault,
            self.clock,
            self.random,
            admission=self.admission,
            buffers=self.buffers,
            tokens=self.access_tokens,
            proxies=self.client_addresses.proxies,
            commands=lambda hub: Commands(self.pipeline, page_tokens, hub),
            public_url=self.settings.public_url,
            sockets_max=open_files.sockets_max(self.settings),
            timers=None if self.test_mode is None else self.test_mode.clock.timers,
        )
        made.connections.tunnel.recorder = CommandRecorder(self.journal, self.by_minute, self.clock)
        self._server_parts.connections = ConnectedClients(made.hub)
        return made

    def _webhook_sender(self, kind: str) -> Send:
        """Return the sender of pre-action or post-action webhooks."""
        if self.test_mode is None:
            return self.egress.send
        return self.test_mode.faults.webhooks.sender(self.egress.send, kind)

    def _is_throttled(self) -> bool:
        """Return whether deliveries get a share of the processor only, since requests run."""
        return self._pacing.limits_deliveries and self.admission.running > 0

    async def start(self) -> None:
        """Create the configured account, and start the background tasks."""
        if self.settings.account_sid:
            await self.store.write(
                lambda tx: account_setup.ensure_configured(tx, self.vault, self.settings)
            )
        await self.realtime.start()
        await self.dispatcher.start()
        await self.channels.start()
        if self.hints is not None:
            self.hints.start()
        await self.scheduler.start()
        self._lag.start()
        if self.test_mode is not None:
            await self.test_mode.start()

    async def stop(self) -> None:
        """Stop the background tasks after their work in progress, and close the store."""
        if self.test_mode is not None:
            await self.test_mode.stop()
        if self.hints is not None:
            await self.hints.stop()
        self._lag.stop()
        for part in (self.realtime, self.scheduler, self.background_create, self.channels):
            await part.stop()
        await self.dispatcher.stop()
        await self.webhooks.stop()
        await self.egress.close()
        await self.blobs.close()
        await self.store.close()
