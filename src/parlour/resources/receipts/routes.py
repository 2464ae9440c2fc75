"""Routes of delivery receipts. They are read-only."""

from __future__ import annotations

from parlour.operations.operation import (
    SERVICE_ONLY,
    SHORT_AND_SERVICE,
    Collection,
    fetch,
    list_,
)
from parlour.resources.messages import permits as message_permits
from parlour.resources.receipts import actions as receipt_actions
from parlour.resources.receipts import recipients as receipt_recipients
from parlour.resources.receipts import representation as receipt_representation
from parlour.vocabulary import limits

RECEIPTS = Collection(
    noun="ConversationMessageReceipt",
    path="/Conversations/{ConversationSid}/Messages/{MessageSid}/Receipts",
    url_forms=SHORT_AND_SERVICE,
    represent=receipt_representation.resource,
    specs=(
        list_(
            receipt_actions.list_receipts,
            key="delivery_receipts",
            permits=message_permits.read_messages,
        ),
        fetch(receipt_actions.fetch_receipt),
    ),
)

CLIENT_RECIPIENTS = Collection(
    noun="ClientMessageRecipient",
    service_noun="ClientMessageRecipient",
    path="/Conversations/{ConversationSid}/MessageRecipients",
    url_forms=SERVICE_ONLY,
    represent=receipt_representation.resource,
    specs=(
        list_(
            receipt_recipients.list_recipients,
            key="message_recipients",
            maximum=limits.PAGE_SIZE_MAX,
            parameters=receipt_recipients.ListRecipients,
            permits=message_permits.read_messages,
        ),
    ),
    listed=False,
)
"""Senders and recipients of messages by e-mail."""
