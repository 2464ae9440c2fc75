"""Routes of webhook retry schedules, which are Parlour's own and not part of the API."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, fetch, update
from parlour.resources.webhook_retries import actions as webhook_retries_actions
from parlour.resources.webhook_retries import parameters as webhook_retries_parameters
from parlour.resources.webhook_retries import representation as webhook_retries_representation

WEBHOOK_RETRIES = Collection(
    noun="WebhookRetries",
    version="/parlour/v1",
    is_setting=True,
    path="/WebhookRetries",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=webhook_retries_representation.resource,
    specs=(
        fetch(webhook_retries_actions.fetch_webhook_retries),
        update(
            webhook_retries_actions.update_webhook_retries,
            webhook_retries_parameters.UpdateWebhookRetries,
        ),
    ),
    listed=False,
)
