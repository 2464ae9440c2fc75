"""Routes of the webhook configuration of an account."""

from __future__ import annotations

from dataclasses import replace

from parlour.operations.operation import ACCOUNT_ONLY, Collection, fetch, update
from parlour.resources.webhook_configuration import actions as webhook_configuration_actions
from parlour.resources.webhook_configuration import parameters as webhook_configuration_parameters
from parlour.resources.webhook_configuration import (
    representation as webhook_configuration_representation,
)

WEBHOOK_CONFIGURATION = Collection(
    noun="ConfigurationWebhook",
    is_setting=True,
    path="/Configuration/Webhooks",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=webhook_configuration_representation.resource,
    specs=(
        fetch(webhook_configuration_actions.fetch_webhook_configuration),
        update(
            webhook_configuration_actions.update_webhook_configuration,
            webhook_configuration_parameters.UpdateWebhookConfiguration,
        ),
    ),
)

# The path of older clients, which hides a conversation with this unique name.
WEBHOOK_CONFIGURATION_ALIAS = replace(
    WEBHOOK_CONFIGURATION,
    path="/Conversations/Webhooks",
    represent=webhook_configuration_representation.alias_resource,
    listed=False,
)
