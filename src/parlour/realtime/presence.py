"""Who is online: noted with the first connection of a user and the last, where it is shown.

Only services that have reachability switched on pay for it. What is noted is what is true when it
is written, so a user who goes and comes back at once is noted as it is in the end. Whoever was
online when the server died is noted as gone at the next start.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from parlour.resources.service_configuration import store as service_configurations
from parlour.resources.users import store as users
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import events
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.realtime.hub import Hub, UserKey
    from parlour.store.transaction import Store, Transaction

log = structlog.get_logger()


class Presence:
    """Notes who is online."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store = store
        self._hub = hub
        self._noting: set[asyncio.Task[None]] = set()

    def changed(self, key: UserKey) -> None:
        """A user has come, or has gone."""
        task = asyncio.get_running_loop().create_task(self._note(key))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _note(self, key: UserKey) -> None:
        scope = Scope(key.account_sid, key.service_sid)
        configuration = await self._store.read(lambda tx: service_configurations.find(tx, scope))
        if configuration is None or not configuration.reachability_enabled:
            return
        try:
            await self._store.write(lambda tx: self._write(tx, scope, key))
        except (Busy, Unavailable):
            log.warning("presence_not_noted")

    async def _write(self, tx: Transaction, scope: Scope, key: UserKey) -> None:
        user = await users.find_by_identity(tx, scope, key.identity)
        is_online = int(bool(self._hub.connections_of(key)))
        if user is None or (user.is_online or 0) == is_online:
            return
        await users.set_online(tx, scope, user.sid, is_online)
        await tx.emit(
            scope,
            events.USER_REACHABILITY_UPDATED,
            subject_sid=user.sid,
            payload={"user_sid": user.sid, "is_online": bool(is_online)},
        )

    async def stop(self) -> None:
        """Wait for what is being noted."""
        await asyncio.gather(*self._noting, return_exceptions=True)


async def forget_everybody(tx: Transaction) -> None:
    """Nobody is online: the server has just started."""
    await users.set_all_offline(tx)
