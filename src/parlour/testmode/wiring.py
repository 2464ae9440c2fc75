"""Composition of test mode: the parts that test functions act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parlour.testmode.browser_guard import BrowserGuard
from parlour.testmode.seeded_random import SeededRandom
from parlour.testmode.table import bound_operations

if TYPE_CHECKING:
    from parlour.channels.wiring import Channels
    from parlour.config import Settings
    from parlour.delivery.attempts import SigningCache
    from parlour.delivery.webhook_sink import WebhookSink
    from parlour.dispatch.dispatcher import Dispatcher
    from parlour.egress.client import Egress
    from parlour.http.authentication import Authentication
    from parlour.http.server import HttpServer
    from parlour.operations.operation import Operation
    from parlour.operations.pipeline import Pipeline
    from parlour.operations.scheduler import Scheduler
    from parlour.operations.waiting_lists import WaitingLists
    from parlour.protocol.vault import Vault
    from parlour.realtime.wiring import Realtime
    from parlour.resources.accounts.login_gate import LoginGate
    from parlour.resources.conversation_with_participants.background_create import BackgroundCreate
    from parlour.resources.tokens.verification import AccessTokenVerifier
    from parlour.store.blobs import BlobStore
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHandles:
    """The parts of the running server that test functions act on."""

    store: Store
    vault: Vault
    blobs: BlobStore
    pipeline: Pipeline
    authentication: Authentication
    login_gate: LoginGate
    signer: SigningCache
    access_tokens: AccessTokenVerifier
    egress: Egress
    webhooks: WebhookSink
    dispatcher: Dispatcher
    channels: Channels
    background_create: BackgroundCreate
    scheduler: Scheduler
    waiting_lists: WaitingLists
    server: HttpServer
    realtime: Realtime


class TestMode:
    """The test functions of one server.

    It is made before the server, which takes its clock and its randomness, and its hooks.
    """

    __test__ = False  # The class is not a collection of tests.

    def __init__(self, settings: Settings, clock: Clock, random: Random) -> None:
        self.settings = settings
        self.clock = clock
        self.random = SeededRandom(settings.random_seed, random) if settings.random_seed else random
        self.browser_guard = BrowserGuard(settings.allow_origin)

    def attach(self, handles: ServerHandles) -> None:
        """Take the parts of the server, once all are made and before any has started."""
        self.handles = handles

    async def start(self) -> None:
        """Start, after all parts of the server."""

    async def stop(self) -> None:
        """Stop, before any part of the server."""

    def operations(self) -> tuple[Operation, ...]:
        """Return the test functions, bound to this object."""
        return bound_operations(self)
