"""Routes of the notification settings of a service."""

from __future__ import annotations

from parlour.operations.operation import SERVICE_ONLY, Collection, fetch, update
from parlour.resources.service_notifications import actions as service_notification_actions
from parlour.resources.service_notifications import parameters as service_notification_parameters
from parlour.resources.service_notifications import (
    representation as service_notification_representation,
)

SERVICE_NOTIFICATIONS = Collection(
    noun="ServiceNotification",
    is_setting=True,
    service_noun="ServiceNotification",
    path="/Configuration/Notifications",
    instance=None,
    url_forms=SERVICE_ONLY,
    represent=service_notification_representation.resource,
    specs=(
        fetch(service_notification_actions.fetch_service_notification),
        update(
            service_notification_actions.update_service_notification,
            service_notification_parameters.UpdateServiceNotification,
        ),
    ),
)
