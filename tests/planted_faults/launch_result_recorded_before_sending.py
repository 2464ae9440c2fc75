"""Runs the server with a planted fault: a delivery counts as made before its request is.

The named moment between the two lies where it has to hurt: with this fault, before the request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.cli.main import main
from parlour.delivery import attempts, webhook_queue
from parlour.delivery.attempts import WebhookClient
from parlour.vocabulary.crash_points import SENT, crash_point

if TYPE_CHECKING:
    from parlour.delivery.attempts import AttemptResult, MaySend
    from parlour.resources.webhook_attempts.store import WebhookDelivery

make = WebhookClient.attempt


async def make_after_noting(
    self: WebhookClient, delivery: WebhookDelivery, may_send: MaySend | None = None
) -> AttemptResult:
    """Note that it is delivered, and only then send it."""
    store = self._signer._store
    await store.write(lambda tx: webhook_queue.record_result(tx, delivery, "delivered", 0, None))
    crash_point(SENT)
    return await make(self, delivery, may_send)


def _pass_by(_name: str) -> None:
    """The moment has been passed already."""


WebhookClient.attempt = make_after_noting  # type: ignore[method-assign]
attempts.crash_point = _pass_by  # type: ignore[attr-defined]

if __name__ == "__main__":
    main()
