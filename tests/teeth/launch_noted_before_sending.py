"""Runs the server with a planted fault: a delivery counts as made before its request is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.cli.main import main
from parlour.delivery import webhook_queue as queue
from parlour.delivery.attempts import Attempts

if TYPE_CHECKING:
    from parlour.delivery.attempts import Result
    from parlour.resources.webhook_attempts.store import WebhookDelivery

make = Attempts.make


async def make_after_noting(self: Attempts, delivery: WebhookDelivery) -> Result:
    """Note that it is delivered, and only then send it."""
    store = self._signer._store
    await store.write(lambda tx: queue.note(tx, delivery, "delivered", 0, None))
    return await make(self, delivery)


Attempts.make = make_after_noting  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
