"""Delivery receipts: where they are. They are only read."""

from __future__ import annotations

from parlour.operations.operation import (
    SERVICE_ONLY,
    SHORT_AND_SERVICE,
    Collection,
    fetch,
    list_,
)
from parlour.resources.messages import permits
from parlour.resources.receipts import actions, recipients, representation
from parlour.vocabulary import limits

RECEIPTS = Collection(
    noun="ConversationMessageReceipt",
    path="/Conversations/{ConversationSid}/Messages/{MessageSid}/Receipts",
    url_forms=SHORT_AND_SERVICE,
    represent=representation.resource,
    specs=(
        list_(actions.list_receipts, key="delivery_receipts", permits=permits.read_messages),
        fetch(actions.fetch_receipt),
    ),
)

RECIPIENTS_OF_CLIENTS = Collection(
    noun="ClientMessageRecipient",
    service_noun="ClientMessageRecipient",
    path="/Conversations/{ConversationSid}/MessageRecipients",
    url_forms=SERVICE_ONLY,
    represent=representation.resource,
    specs=(
        list_(
            recipients.list_recipients,
            key="message_recipients",
            maximum=limits.PAGE_SIZE_MAX,
            parameters=recipients.ListRecipients,
            permits=permits.read_messages,
        ),
    ),
    listed=False,
)
"""Who sent and got messages by e-mail."""
