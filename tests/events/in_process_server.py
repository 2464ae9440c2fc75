"""A whole server in the test's process: calls of the API, of clients and of channels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from parlour.app import App, open_app
from parlour.config import Settings
from parlour.operations.call import Call
from parlour.operations.caller import Caller
from parlour.resources.configuration import store as configuration_store
from parlour.resources.table import operations
from parlour.store import event_log
from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary import event_names
from parlour.vocabulary.origin import SDK, SILENT, Origin
from parlour.vocabulary.scope import Scope
from tests.events.webhook_backend import WebhookBackend
from tests.support.migrated_database import place_migrated_database
from tests.support.server import database_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from parlour.operations.call import OperationResult
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.clock import Clock

ACCOUNT_SID = "AC" + "0" * 31 + "1"
AUTH_TOKEN = "an auth token of a test"
SECONDS_MAX = 60
EVERYTHING = sorted(event_names.FILTERS)

WITH_HEADER = Origin(fires=True)
"""A request of the API with ``X-Twilio-Webhook-Enabled: true``."""
ALICE = Origin(SDK, "alice", fires=True)
"""A client of the user alice."""
BY_SMS = Origin("SMS", fires=True)
"""An incoming text message."""

_BY_ID = {operation.operation_id: operation for operation in operations()}
UNDELIVERED = "SELECT COUNT(*) FROM webhook_delivery WHERE state = 'pending'"

Form = dict[str, str | list[str]]
# The virtual carrier reports each message as delivered.
UNSENT = "SELECT COUNT(*) FROM receipt WHERE status IS NULL OR status = 'sent'"


class InProcessServer:
    """A running server with one account, and helpers for tests."""

    def __init__(self, data: Path, **settings: Any) -> None:
        """Prepare it on an empty folder, or on the folder and ``database`` of an earlier one."""
        account = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN}
        self.database = settings.pop("database", None) or database_of(data)
        if not self.database:
            place_migrated_database(data)
        self._clock: Clock | None = settings.pop("clock", None)
        self._settings = Settings(data=data, database=self.database, **account, **settings)
        self.app: App
        # Called before the server starts, with its configuration.
        self.before_start: Callable[[InProcessServer], object] = lambda _instance: None
        self._seen: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        """Start everything but the HTTP server."""
        self.app = await open_app(self._settings, self._clock)
        self.store = self.app.store
        if isinstance(self.store, SqliteStore):
            # No test cuts the power, so no commit waits for the disk.
            self.store._writer.execute("PRAGMA synchronous = OFF")
        self.before_start(self)
        await self.app.start()
        self.scope = await self.store.read(_default_scope)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything."""
        await self.app.stop()

    async def run(
        self,
        operation_id: str,
        form: Form | None = None,
        *,
        origin: Origin = SILENT,
        idempotency_key: str | None = None,
        **path: str,
    ) -> OperationResult:
        """Run one call as HTTP or a socket would; ``path`` holds its variables."""
        call: Call[Any] = Call(
            operation=_BY_ID[operation_id],
            caller=Caller(ACCOUNT_SID, ACCOUNT_SID),
            path=path,
            resource=f"/{operation_id}",
            form={
                name: [value] if isinstance(value, str) else value
                for name, value in (form or {}).items()
            },
            origin=origin,
            idempotency_key=idempotency_key,
        )
        return await self.app.pipeline.run(call, lambda _call, outcome: repr(outcome).encode())

    async def do(
        self,
        operation_id: str,
        form: Form | None = None,
        *,
        origin: Origin = SILENT,
        **path: str,
    ) -> Any:
        """Run one call and return its result."""
        return (await self.run(operation_id, form, origin=origin, **path)).result

    async def send_message(
        self, conversation_sid: str, body: str, origin: Origin = SILENT, **form: str
    ) -> Any:
        """Send a message."""
        parameters: Form = {"Body": body, **form}
        return await self.do(
            "CreateConversationMessage", parameters, origin=origin, ConversationSid=conversation_sid
        )

    async def enable_webhooks(self, backend: WebhookBackend, top: str = "", **changes: Any) -> None:
        """Enable the account's webhooks of all events: at ``/pre`` and ``/post`` below a path."""
        form = {
            "PreWebhookUrl": backend.url(f"{top}/pre"),
            "PostWebhookUrl": backend.url(f"{top}/post"),
            "Filters": EVERYTHING,
        }
        await self.do("UpdateConfigurationWebhook", form | changes)

    async def attach(self, conversation_sid: str, target: str = "webhook", **values: Any) -> Any:
        """Attach a webhook to a conversation; ``values`` are the members of its configuration."""
        form = {f"Configuration.{name}": value for name, value in values.items()}
        return await self.do(
            "CreateConversationScopedWebhook",
            {"Target": target, **form},
            ConversationSid=conversation_sid,
        )

    async def wait_until_idle(self) -> None:
        """Wait until all events have been published and delivered."""
        await poll_until(self._is_settled)

    async def _is_settled(self) -> bool:
        # The positions are read first, and the rest in one snapshot: an event committed between
        # two reads would be missing in one and no longer pending in the other.
        runners = self.app.dispatcher._runners
        positions = {runner.sink.name: runner.position for runner in runners}
        return await self.store.read(partial(self._is_settled_at, positions))

    async def _is_settled_at(self, positions: dict[str, int], tx: Transaction) -> bool:
        """Return whether each sink has passed all its events, and nothing is pending."""
        for runner in self.app.dispatcher._runners:
            name = runner.sink.name
            seen = max(self._seen.get(name, 0), positions[name])
            for event in await event_log.read_after(tx, seen, 1000):
                if runner.sink.wants(event):
                    return False
                self._seen[name] = event.sequence
        rows = [await tx.one(sql) for sql in (UNDELIVERED, UNSENT)]
        return all(row is None or row[0] == 0 for row in rows)


Scenario = Callable[[InProcessServer, WebhookBackend], Awaitable[None]]
ScenarioRunner = Callable[[Scenario], None]


def scenario_runner(data: Path, **settings: Any) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server with a customer's backend."""

    def run_scenario(scenario: Scenario) -> None:
        async def run() -> None:
            async with WebhookBackend() as backend, InProcessServer(data, **settings) as instance:
                await scenario(instance, backend)

        asyncio.run(run())

    return run_scenario


async def poll_until(look: Callable[[], Awaitable[object]]) -> None:
    """Wait until the awaited value is accepted."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:  # Ends with the timeout.
            if await look():
                return
            await asyncio.sleep(0.005)


async def _default_scope(tx: Transaction) -> Scope:
    found = await configuration_store.get_configuration(tx, Scope(ACCOUNT_SID))
    return Scope(ACCOUNT_SID, found.default_chat_service_sid)
