"""Run the server with a planted fault: the webhooks' position is saved before any request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.cli.main import main
from parlour.delivery.webhook_sink import WebhookSink
from parlour.store import event_log

if TYPE_CHECKING:
    from parlour.vocabulary.event import Event

take = WebhookSink.handle


async def take_after_saving(self: WebhookSink, events: list[Event]) -> bool:
    """Save the final position, and handle the events only then."""
    last = events[-1].sequence
    await self._store.write(lambda tx: event_log.save_position(tx, self.name, last))
    return await take(self, events)


WebhookSink.handle = take_after_saving  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
