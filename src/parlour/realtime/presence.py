"""Presence: records which users are connected to this node, and the heartbeat of the node."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING

import structlog

from parlour.resources.service_configuration import store as service_configuration_store
from parlour.resources.users import presence as user_presence
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.failure_log import failures_logged
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.realtime.hub import Hub, UserKey
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock

log = structlog.get_logger()


# Only services with reachability enabled cause writes. A record has the state at the time of the
# write, so the record of a user who reconnects at once ends up as connected:
#
# =========  ================================  =====================================================
# state      event                             next
# =========  ================================  =====================================================
# recorded   first or last connection of user  due
# due        a batch is taken                  writing: the state of the hub at this moment
# writing    the transaction commits           recorded
# writing    first or last connection          due again: a further batch
# writing    the store is busy or unavailable  outdated: written at the next change of the user
# any        the last renewal is older than    due, for all connected users: other nodes considered
#            NODE_MS                           this node dead and cleared its records
# =========  ================================  =====================================================
class Presence:
    """Record the presence of the users of one node."""

    def __init__(self, store: Store, hub: Hub, clock: Clock, node: str) -> None:
        """``node`` is a name that no other process has ever had."""
        self._store = store
        self._hub = hub
        self._clock = clock
        self._node = node
        self._due: dict[UserKey, None] = {}
        self._recording: asyncio.Task[None] | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._renewed_ms = 0.0

    async def start(self) -> None:
        """Register this node; on a shared engine start its heartbeat.

        On an engine of one process this is the only node, and it expires all others.
        """
        is_only = not self._store.is_shared
        await self._store.write(
            lambda tx: user_presence.renew_node(tx, self._node, is_only=is_only)
        )
        if not is_only:
            self._renewed_ms = self._clock.monotonic_ms()
            self._renewal = asyncio.create_task(self._renew())

    def changed(self, key: UserKey) -> None:
        """Schedule a write for a user's first or last connection."""
        self._due[key] = None
        if self._recording is None:
            self._recording = asyncio.get_running_loop().create_task(self._record_due())

    async def _record_due(self) -> None:
        """Record due changes in batches: all users of a service may be due."""
        while self._due:
            batch = list(islice(self._due, limits.PRESENCE_WRITES_AT_ONCE))
            for key in batch:
                del self._due[key]
            await asyncio.gather(*map(self._record, batch))
        self._recording = None

    async def recorded(self) -> None:
        """Return once all changes that are due are recorded."""
        while self._recording is not None:
            await asyncio.shield(self._recording)

    async def _record(self, key: UserKey) -> None:
        scope = Scope(key.account_sid, key.service_sid)
        try:
            found = await self._store.read(
                lambda tx: service_configuration_store.find_service_configuration(tx, scope),
                account_sid=scope.account_sid,
            )
            if found is None or not found.reachability_enabled:
                return
            await self._store.write(
                lambda tx: user_presence.record_connection(
                    tx,
                    scope,
                    key.identity,
                    self._node,
                    # Read in the transaction: the state now, not when the write was scheduled.
                    is_connected=bool(self._hub.connections_of(key)),
                ),
                account_sid=scope.account_sid,
            )
        except (Busy, Unavailable):
            log.warning("presence_write_failed")
        except Exception:
            log.exception("presence_update_failed")

    async def _renew(self) -> None:
        while True:  # Until it is cancelled.
            # A quarter of the TTL, in seconds: a single failed renewal has no effect.
            await asyncio.sleep(limits.NODE_MS / 4000)
            with failures_logged("node_renewal_failed", Busy, Unavailable):
                await self._renew_node()

    async def _renew_node(self) -> None:
        await self._store.write(lambda tx: user_presence.renew_node(tx, self._node, is_only=False))
        now = self._clock.monotonic_ms()
        if now - self._renewed_ms > limits.NODE_MS:
            # Other nodes have considered this node dead, and cleared its users.
            for key in self._hub.users():
                self.changed(key)
        self._renewed_ms = now

    async def stop(self) -> None:
        """Stop the heartbeat and wait for pending writes. All users have disconnected by now."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        if self._recording is not None:
            await self._recording
