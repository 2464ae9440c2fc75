"""The operation of samples, an extension of Parlour beyond the hosted API."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.resources.webhook_samples import actions as webhook_sample_actions
from parlour.resources.webhook_samples import parameters as webhook_sample_parameters
from parlour.resources.webhook_samples import representation as webhook_sample_representation

WEBHOOK_SAMPLES = Collection(
    noun="WebhookSample",
    version="/parlour/v1",
    path="/WebhookSamples",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=webhook_sample_representation.resource,
    specs=(
        on_server(
            "Create",
            "POST",
            webhook_sample_actions.create_webhook_sample,
            parameters=webhook_sample_parameters.CreateWebhookSample,
        ),
    ),
    listed=False,
)
