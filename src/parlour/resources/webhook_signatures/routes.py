"""The operation of signatures, an extension of Parlour beyond the hosted API."""

from __future__ import annotations

from dataclasses import replace

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.resources.webhook_signatures import actions as webhook_signature_actions
from parlour.resources.webhook_signatures import parameters as webhook_signature_parameters
from parlour.resources.webhook_signatures import representation as webhook_signature_representation

WEBHOOK_SIGNATURES = Collection(
    noun="WebhookSignature",
    version="/parlour/v1",
    path="/WebhookSignatures",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=webhook_signature_representation.resource,
    specs=(
        # Recorded, since a signature shows a receiver that the account has sent a webhook.
        replace(
            on_server(
                "Create",
                "POST",
                webhook_signature_actions.create_webhook_signature,
                parameters=webhook_signature_parameters.CreateWebhookSignature,
            ),
            changes_nothing=True,
            is_recorded_read=True,
        ),
    ),
    listed=False,
)
