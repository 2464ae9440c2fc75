"""Composition of the settler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.testmode.settlement.settler import SettledParts, Settler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from parlour.operations.open_work import OpenWork
    from parlour.testmode.wiring import ServerHandles
    from parlour.vocabulary.clock import Clock


def make_settler(
    parts: ServerHandles, clock: Clock, delayed: Callable[[], Iterable[OpenWork]]
) -> Settler:
    """Return the settler of a server. ``delayed`` returns the requests that faults delay."""

    def nudge() -> None:
        """Start due work, without waiting for the next poll."""
        parts.scheduler.wake()
        parts.dispatcher.wake()
        parts.webhooks.clock_changed()
        parts.channels.wake()
        parts.realtime.wake()

    return Settler(
        SettledParts(
            store=parts.store,
            clock=clock,
            scheduler=parts.scheduler,
            dispatcher=parts.dispatcher,
            event_feed=parts.realtime.connections.event_feed,
            sources=(
                parts.webhooks.open_work,
                parts.pre_action_hook.open_work,
                parts.channels.open_work,
                parts.background_create.open_work,
                parts.realtime.connections.open_work,
                delayed,
            ),
            nudge=nudge,
        )
    )
