"""The retries of an account's webhooks: where they are. They are Parlour's own, not the API's."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, fetch, update
from parlour.resources.webhook_retries import actions, parameters, representation

WEBHOOK_RETRIES = Collection(
    noun="WebhookRetries",
    version="/parlour/v1",
    is_setting=True,
    path="/WebhookRetries",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=representation.resource,
    specs=(
        fetch(actions.fetch_webhook_retries),
        update(actions.update_webhook_retries, parameters.UpdateWebhookRetries),
    ),
    listed=False,
)
