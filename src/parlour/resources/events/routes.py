"""The operations of the event feed, an extension of Parlour beyond the hosted API."""

from __future__ import annotations

from dataclasses import replace

from parlour.operations.operation import ACCOUNT_ONLY, Collection, list_
from parlour.resources.events import actions as event_actions
from parlour.resources.events import parameters as event_parameters
from parlour.resources.events import representation as event_representation
from parlour.vocabulary import event_names, limits

EVENTS = Collection(
    noun="Event",
    version="/parlour/v1",
    path="/Events",
    url_forms=ACCOUNT_ONLY,
    represent=event_representation.resource,
    specs=(
        replace(
            list_(
                event_actions.list_events,
                key="events",
                default=limits.PAGE_SIZE_EVENTS_DEFAULT,
                maximum=limits.PAGE_SIZE_EVENTS_MAX,
                parameters=event_parameters.ListEvents,
                wakes_on=frozenset(event_names.POST_ACTION),
            ),
            has_stream=True,
            is_recorded_read=True,
        ),
    ),
    listed=False,
)
