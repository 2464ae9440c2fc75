"""The webhook intake of a server in the test's process, held back as long as a test needs."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from tests.events.in_process_server import WITH_HEADER, InProcessServer
from tests.events.webhook_backend import WebhookBackend

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from parlour.delivery.webhook_sink import WebhookSink
    from parlour.vocabulary.event import Event

RETRY_SECONDS = 0.005
HELD_SECONDS_MAX = 0.2


class IntakeHeld(Exception):  # noqa: N818 - named after the condition.
    """The intake is held: the dispatcher retries soon."""


class HeldIntake:
    """Lets the intake pass so many events, or all of them.

    What it is given is only tried again, as after any failure: an event may be taken twice.
    """

    def __init__(self, instance: InProcessServer) -> None:
        """Hold the intake of a server that is about to start."""
        dispatcher = instance.app.dispatcher
        dispatcher._retry_seconds = RETRY_SECONDS
        (lane,) = (each for each in dispatcher._runners if each.sink.name == "webhooks")
        sink: WebhookSink = lane.sink  # type: ignore[assignment]
        self._take_all = sink.handle
        sink.handle = self._take  # type: ignore[method-assign]
        self._passed = 0
        self._room: int | None = 0
        self._moved = asyncio.Event()

    def pass_events(self, count: int) -> None:
        """Let the intake pass this many more events."""
        if self._room is not None:
            self._room += count
            self._moved.set()

    def hold(self) -> None:
        """Hold all further events."""
        self._room = 0

    def release(self) -> None:
        """Let the intake pass all events."""
        self._room = None
        self._moved.set()

    async def _take(self, found: list[Event]) -> bool:
        if self._room is None:
            return await self._take_all(found)
        new = [each for each in found if each.sequence > self._passed][: self._room]
        if not new:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), HELD_SECONDS_MAX)
            self._moved.clear()
            raise IntakeHeld
        taken = [each for each in found if each.sequence <= new[-1].sequence]
        await self._take_all(taken)
        self._passed = new[-1].sequence
        self._room -= len(new)
        if len(taken) < len(found):
            raise IntakeHeld
        return False


class HeldIntakeServer:
    """A server with a held intake, a conversation and a receiver; it may be started again."""

    def __init__(self, data: Path, backend: WebhookBackend) -> None:
        self._data, self.backend = data, backend
        self._database = ""

    async def start(self) -> None:
        """Start the server on its data."""
        settings = {"database": self._database, "webhook_studio_url": self.backend.url("/flows")}
        self.instance = InProcessServer(self._data, **settings)
        self._database = self.instance.database
        self.instance.before_start = self._hold
        await self.instance.__aenter__()

    def _hold(self, instance: InProcessServer) -> None:
        self.held = HeldIntake(instance)

    async def stop(self) -> None:
        """Stop the server."""
        await self.instance.__aexit__()

    async def received(self, *, restarts: bool = False) -> list[tuple[str, str]]:
        """Release the intake and return the receiver's requests: URL path, and the message."""
        assert self.backend.requests == []
        if restarts:
            await self.stop()
            await self.start()
        self.held.release()
        await self.instance.wait_until_idle()
        return sorted(
            (f"{each.method} {each.path}", event_label(each.values))
            for each in self.backend.requests
        )

    def form(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters, with paths expanded to URLs of the receiver."""
        return {
            name: self.backend.url(value) if name.endswith("Url") and value else value
            for name, value in values.items()
        }

    async def account(self, **values: Any) -> None:
        """Change the account's webhooks."""
        await self.instance.do("UpdateConfigurationWebhook", self.form(values))

    async def service(self, service_sid: str, **values: Any) -> None:
        """Change a service's webhooks."""
        form = self.form(values)
        await self.instance.do(
            "UpdateServiceWebhookConfiguration", form, ChatServiceSid=service_sid
        )

    async def attach(self, conversation_sid: str, **values: Any) -> Any:
        """Attach a webhook to a conversation."""
        target = values.pop("Target", "webhook")
        return await self.instance.attach(conversation_sid, target, **self.form(values))

    async def update(self, conversation_sid: str, sid: str, **values: Any) -> None:
        """Change a webhook of a conversation."""
        form = {f"Configuration.{name}": value for name, value in self.form(values).items()}
        here = {"ConversationSid": conversation_sid, "Sid": sid}
        await self.instance.do("UpdateConversationScopedWebhook", form, **here)

    async def detach(self, conversation_sid: str, sid: str) -> None:
        """Delete a webhook of a conversation."""
        here = {"ConversationSid": conversation_sid, "Sid": sid}
        await self.instance.do("DeleteConversationScopedWebhook", **here)

    async def send_message(self, conversation_sid: str, body: str) -> None:
        """Send a message that fires webhooks."""
        await self.instance.send_message(conversation_sid, body, WITH_HEADER)


def event_label(values: dict[str, str]) -> str:
    """Return what distinguishes events."""
    return values.get("Body", values["EventType"])


def run_with_held_intake(
    data: Path, scenario: Callable[[HeldIntakeServer], Awaitable[None]]
) -> None:
    """Run a scene on a separate server with a held intake."""

    async def run() -> None:
        async with WebhookBackend() as backend:
            held_server = HeldIntakeServer(data, backend)
            await held_server.start()
            try:
                await scenario(held_server)
            finally:
                await held_server.stop()

    asyncio.run(run())
