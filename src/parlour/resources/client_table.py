"""The operations that clients call: API operations that permit users, and internal ones.

The internal ones are not part of the API: no router serves them, and no page documents them.
"""

from __future__ import annotations

from functools import cache

from parlour.operations.operation import Collection, Operation, UrlForm, operations_of
from parlour.resources.content_templates.routes import CLIENT_CONTENT_TEMPLATES
from parlour.resources.messages.routes import CLIENT_MESSAGES
from parlour.resources.participants.routes import CLIENT_PARTICIPANTS
from parlour.resources.push_bindings.routes import CLIENT_REGISTRATIONS
from parlour.resources.receipts.routes import CLIENT_RECIPIENTS
from parlour.resources.table import operations
from parlour.resources.user_conversations.routes import (
    CLIENT_CONVERSATIONS,
    CLIENT_MEMBERSHIPS,
)

COLLECTIONS: tuple[Collection, ...] = (
    CLIENT_CONVERSATIONS,
    CLIENT_MEMBERSHIPS,
    CLIENT_PARTICIPANTS,
    CLIENT_MESSAGES,
    CLIENT_RECIPIENTS,
    CLIENT_CONTENT_TEMPLATES,
    CLIENT_REGISTRATIONS,
)


@cache
def client_operations() -> dict[str, Operation]:
    """Return every operation that permits users, by operation id, in its service form."""
    own = (each for collection in COLLECTIONS for each in operations_of(collection))
    permitting = (
        each
        for each in operations()
        if each.url_form is UrlForm.SERVICE and each.spec.permits is not None
    )
    return {each.operation_id: each for each in (*own, *permitting)}
