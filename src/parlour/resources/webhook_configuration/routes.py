"""The webhooks of an account: where they are and what can be done."""

from __future__ import annotations

from dataclasses import replace

from parlour.operations.operation import ACCOUNT_ONLY, Collection, fetch, update
from parlour.resources.webhook_configuration import actions, parameters, representation

WEBHOOK_CONFIGURATION = Collection(
    noun="ConfigurationWebhook",
    is_setting=True,
    path="/Configuration/Webhooks",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=representation.resource,
    specs=(
        fetch(actions.fetch_webhook_configuration),
        update(actions.update_webhook_configuration, parameters.UpdateWebhookConfiguration),
    ),
)

# The path of older clients. A conversation cannot be reached by this unique name.
WEBHOOK_CONFIGURATION_ALIAS = replace(
    WEBHOOK_CONFIGURATION,
    path="/Conversations/Webhooks",
    represent=representation.alias,
    listed=False,
)
