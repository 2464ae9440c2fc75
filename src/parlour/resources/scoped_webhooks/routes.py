"""Webhooks of a conversation: where they are and what can be done."""

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
from parlour.resources.scoped_webhooks import actions, parameters, representation
from parlour.vocabulary import limits

SCOPED_WEBHOOKS = Collection(
    noun="ConversationScopedWebhook",
    path="/Conversations/{ConversationSid}/Webhooks",
    url_forms=SHORT_AND_SERVICE,
    represent=representation.resource,
    specs=(
        list_(
            actions.list_scoped_webhooks,
            key="webhooks",
            default=limits.PAGE_SIZE_WEBHOOKS_MAX,
            maximum=limits.PAGE_SIZE_WEBHOOKS_MAX,
        ),
        create(actions.create_scoped_webhook, parameters.CreateScopedWebhook),
        fetch(actions.fetch_scoped_webhook),
        update(actions.update_scoped_webhook, parameters.UpdateScopedWebhook),
        delete(actions.delete_scoped_webhook),
    ),
)
