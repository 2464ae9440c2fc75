"""Routes of scoped webhooks."""

from __future__ import annotations

from parlour.operations.operation import (
    SHORT_AND_SERVICE,
    Collection,
    create,
    delete,
    fetch,
    list_,
    update,
)
from parlour.resources.scoped_webhooks import actions as scoped_webhook_actions
from parlour.resources.scoped_webhooks import parameters as scoped_webhook_parameters
from parlour.resources.scoped_webhooks import representation as scoped_webhook_representation
from parlour.vocabulary import limits

SCOPED_WEBHOOKS = Collection(
    noun="ConversationScopedWebhook",
    path="/Conversations/{ConversationSid}/Webhooks",
    url_forms=SHORT_AND_SERVICE,
    represent=scoped_webhook_representation.resource,
    specs=(
        list_(
            scoped_webhook_actions.list_scoped_webhooks,
            key="webhooks",
            default=limits.PAGE_SIZE_WEBHOOKS_MAX,
            maximum=limits.PAGE_SIZE_WEBHOOKS_MAX,
        ),
        create(
            scoped_webhook_actions.create_scoped_webhook,
            scoped_webhook_parameters.CreateScopedWebhook,
        ),
        fetch(scoped_webhook_actions.fetch_scoped_webhook),
        update(
            scoped_webhook_actions.update_scoped_webhook,
            scoped_webhook_parameters.UpdateScopedWebhook,
        ),
        delete(scoped_webhook_actions.delete_scoped_webhook),
    ),
)
