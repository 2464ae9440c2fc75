"""The notification settings of a service: where they are and what can be done."""

from __future__ import annotations

from parlour.operations.operation import SERVICE_ONLY, Collection, fetch, update
from parlour.resources.service_notifications import actions, parameters, representation

SERVICE_NOTIFICATIONS = Collection(
    noun="ServiceNotification",
    is_setting=True,
    service_noun="ServiceNotification",
    path="/Configuration/Notifications",
    instance=None,
    url_forms=SERVICE_ONLY,
    represent=representation.resource,
    specs=(
        fetch(actions.fetch_service_notification),
        update(actions.update_service_notification, parameters.UpdateServiceNotification),
    ),
)
