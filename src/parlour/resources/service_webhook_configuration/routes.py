"""The webhooks of a service: where they are and what can be done."""

from __future__ import annotations

from parlour.operations.operation import SERVICE_ONLY, Collection, fetch, update
from parlour.resources.service_webhook_configuration import actions, representation
from parlour.resources.webhook_configuration.parameters import UpdateWebhooks

SERVICE_WEBHOOK_CONFIGURATION = Collection(
    noun="ServiceWebhookConfiguration",
    is_setting=True,
    service_noun="ServiceWebhookConfiguration",
    path="/Configuration/Webhooks",
    instance=None,
    url_forms=SERVICE_ONLY,
    represent=representation.resource,
    specs=(
        fetch(actions.fetch_service_webhook_configuration),
        update(actions.update_service_webhook_configuration, UpdateWebhooks),
    ),
)
