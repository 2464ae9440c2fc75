"""Run the server with a planted fault: a delivery is recorded as delivered before its request.

The crash point between the two is placed where this fault loses an event: before the request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.cli.main import main
from parlour.delivery import attempts
from parlour.delivery.attempts import WebhookClient
from parlour.store import webhook_queue
from parlour.store.webhook_queue import DeliveryState
from parlour.vocabulary.crash_points import SENT, crash_point

if TYPE_CHECKING:
    from parlour.delivery.attempts import AttemptResult, MaySend
    from parlour.store.webhook_queue import WebhookDelivery

make = WebhookClient.attempt


async def attempt_after_recording(
    self: WebhookClient, delivery: WebhookDelivery, may_send: MaySend | None = None
) -> AttemptResult:
    """Record the delivery, and send it only then."""
    store = self._signer._store
    state = DeliveryState.DELIVERED
    await store.write(lambda tx: webhook_queue.record_result(tx, delivery, state, 0, None))
    crash_point(SENT)
    return await make(self, delivery, may_send)


def _do_nothing(_name: str) -> None:
    """Do nothing: the crash point has been passed already."""


WebhookClient.attempt = attempt_after_recording  # type: ignore[method-assign]
attempts.crash_point = _do_nothing  # type: ignore[attr-defined]

if __name__ == "__main__":
    main()
