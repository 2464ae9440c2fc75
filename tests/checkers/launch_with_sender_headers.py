"""Run the server with headers in each webhook: sending node, lease term and time.

The time is taken at the write to the socket. ``PLANTED=unfenced`` in the environment plants a
fault: an owner never learns that it lost its lease, and no fencing check rejects its writes.
"""

from __future__ import annotations

import os
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from parlour.cli.main import main
from parlour.delivery.attempts import WebhookClient
from parlour.egress.connection import OutboundConnection
from parlour.store.leases import FencedLeaseTerm

if TYPE_CHECKING:
    from parlour.delivery.attempts import AttemptResult, MaySend
    from parlour.store.transaction import Transaction
    from parlour.store.webhook_queue import WebhookDelivery

END_OF_HEAD = b"\r\n\r\n"

make = WebhookClient.attempt
exchange = OutboundConnection.exchange
fence: ContextVar[int] = ContextVar("fence")


async def attempt_in_term(
    self: WebhookClient, delivery: WebhookDelivery, may_send: MaySend | None = None
) -> AttemptResult:
    """Make an attempt, and record its lease term."""
    lease_term = may_send.__self__  # type: ignore[union-attr]
    fence.set(lease_term.fence)
    return await make(self, delivery, may_send)


async def send_signed(self: OutboundConnection, written: bytes, read_bytes_max: int) -> None:
    """Send a request with the headers of its sender."""
    head, _, body = written.partition(END_OF_HEAD)
    signs = f"\r\nx-node: {os.environ['NODE']}\r\nx-fence: {fence.get()}\r\nx-at: {time.time()}"
    await exchange(self, head + signs.encode() + END_OF_HEAD + body, read_bytes_max)


async def check_nothing(_self: FencedLeaseTerm, _tx: Transaction) -> None:
    """Accept all writes."""


WebhookClient.attempt = attempt_in_term  # type: ignore[method-assign]
OutboundConnection.exchange = send_signed  # type: ignore[method-assign]
if os.environ.get("PLANTED") == "unfenced":
    FencedLeaseTerm.is_current = lambda _self: True  # type: ignore[method-assign]
    FencedLeaseTerm.check = check_nothing  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
