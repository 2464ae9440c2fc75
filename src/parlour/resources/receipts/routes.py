"""Delivery receipts: where they are. They are only read."""

from __future__ import annotations

from parlour.operations.operation import SHORT_AND_SERVICE, Collection, fetch, list_
from parlour.resources.messages import permits
from parlour.resources.receipts import actions, representation

RECEIPTS = Collection(
    noun="ConversationMessageReceipt",
    path="/Conversations/{ConversationSid}/Messages/{MessageSid}/Receipts",
    forms=SHORT_AND_SERVICE,
    represent=representation.resource,
    deeds=(
        list_(actions.list_receipts, key="delivery_receipts", permits=permits.read_messages),
        fetch(actions.fetch_receipt),
    ),
)
