"""Routes of the webhook configuration of a service."""

from __future__ import annotations

from parlour.operations.operation import SERVICE_ONLY, Collection, fetch, update
from parlour.resources.service_webhook_configuration import (
    actions as service_webhook_configuration_actions,
)
from parlour.resources.service_webhook_configuration import (
    representation as service_webhook_configuration_representation,
)
from parlour.resources.webhook_configuration.parameters import UpdateWebhooks

SERVICE_WEBHOOK_CONFIGURATION = Collection(
    noun="ServiceWebhookConfiguration",
    is_setting=True,
    service_noun="ServiceWebhookConfiguration",
    path="/Configuration/Webhooks",
    instance=None,
    url_forms=SERVICE_ONLY,
    represent=service_webhook_configuration_representation.resource,
    specs=(
        fetch(service_webhook_configuration_actions.fetch_service_webhook_configuration),
        update(
            service_webhook_configuration_actions.update_service_webhook_configuration,
            UpdateWebhooks,
        ),
    ),
)
