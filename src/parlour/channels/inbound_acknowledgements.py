"""Records which inbound messages were acknowledged to the network of their carrier.

For carriers whose network gives messages no identifier: after a crash, only a message without a
recorded acknowledgement can be delivered again, and the same content is else a new message.

| state of a message | next |
|---|---|
| stored, with a row in `inbox_unacknowledged` | acknowledged: the network has the response |
| acknowledged, in memory | recorded: the row is deleted, in the next batch |

The acknowledgement never waits for its record. A crash between the two leaves the row: the same
content then counts as a redelivery. That takes one transaction, or longer while the store fails.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from parlour.resources.inbox import unacknowledged_store as inbox_unacknowledged_store
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.failure_log import failures_logged
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.inbox.store import InboundKey
    from parlour.resources.inbox.unacknowledged_store import Unacknowledged
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Clock

log = structlog.get_logger()

_KEPT_MS: Final = limits.INBOX_UNACKNOWLEDGED_HOURS * 60 * 60 * 1000


class InboundAcknowledgements:
    """The acknowledgements of this process that are not recorded yet, and their writer."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._pending: list[InboundKey] = []
        self._task: asyncio.Task[None] | None = None

    def require_room(self) -> None:
        """Raise Busy if too many acknowledgements are not recorded: memory is bounded."""
        if len(self._pending) >= limits.INBOX_ACKNOWLEDGEMENTS_MAX:
            raise Busy("too many acknowledgements are not recorded yet")

    def record(self, key: InboundKey) -> None:
        """Record an acknowledgement soon."""
        self._pending.append(key)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="acknowledgements")

    async def recorded(self) -> None:
        """Return once all of them are recorded, or after a timeout."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=limits.INBOX_ACKNOWLEDGEMENTS_SECONDS_MAX)
        if self._pending:
            log.warning("inbound_acknowledgements_unrecorded", count=len(self._pending))

    async def unacknowledged(self, carrier: str) -> list[Unacknowledged]:
        """Return the messages of a carrier that its network may deliver again, oldest first."""
        since_ms = self._clock.now_ms() - _KEPT_MS
        return await self._store.read(
            lambda tx: inbox_unacknowledged_store.list_of_carrier(tx, carrier, since_ms)
        )

    async def stop(self) -> None:
        """Stop; the carriers are stopped already."""
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        try:
            while self._pending:
                with failures_logged("inbound_acknowledgements_failed", Busy, Unavailable):
                    await self._write(self._pending[: limits.INBOX_ACKNOWLEDGEMENTS_PER_STEP_MAX])
                    continue
                await asyncio.sleep(limits.INBOX_RETRY_MS / 1000)
        finally:
            self._task = None

    async def _write(self, batch: list[InboundKey]) -> None:
        # By account and carrier.
        groups: dict[tuple[str, str], list[str]] = {}
        for key in batch:
            groups.setdefault((key.account_sid, key.carrier), []).append(key.provider_id)

        async def write(tx: Transaction) -> None:
            for (account_sid, carrier), provider_ids in groups.items():
                await inbox_unacknowledged_store.delete_acknowledged(
                    tx, Scope(account_sid), carrier, provider_ids
                )

        await self._store.write(write)
        del self._pending[: len(batch)]
