"""The operations of webhook endpoints, an extension of Parlour beyond the hosted API."""

from __future__ import annotations

from typing import Final

from parlour.operations.operation import ACCOUNT_ONLY, Collection, OperationSpec, list_
from parlour.resources.webhook_endpoints import actions as webhook_endpoint_actions
from parlour.resources.webhook_endpoints import parameters as webhook_endpoint_parameters
from parlour.resources.webhook_endpoints import representation as webhook_endpoint_representation

_VERSION: Final = "/parlour/v1"
_ACCEPTED: Final = 202

WEBHOOK_ENDPOINTS = Collection(
    noun="WebhookEndpoint",
    version=_VERSION,
    path="/WebhookEndpoints",
    url_forms=ACCOUNT_ONLY,
    represent=webhook_endpoint_representation.resource,
    specs=(list_(webhook_endpoint_actions.list_webhook_endpoints, key="webhook_endpoints"),),
    listed=False,
)

WEBHOOK_ENDPOINT_RETRY = Collection(
    noun="WebhookEndpointRetry",
    version=_VERSION,
    path="/WebhookEndpoints/Retry",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=webhook_endpoint_representation.retried,
    specs=(
        OperationSpec(
            verb="Create",
            method="POST",
            on_instance=False,
            status=_ACCEPTED,
            action=webhook_endpoint_actions.retry_webhook_endpoint,
            parameters=webhook_endpoint_parameters.RetryWebhookEndpoint,
        ),
    ),
    listed=False,
)
