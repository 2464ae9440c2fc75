"""The operations that clients use: those of the API that permit users, and some of their own.

Those of their own are not paths of the API: no router serves them, and no document lists them.
"""

from __future__ import annotations

from functools import cache

from parlour.operations.operation import Collection, Operation, UrlForm, operations_of
from parlour.resources.bindings.routes import REGISTRATIONS_OF_CLIENTS
from parlour.resources.content_templates.routes import TEMPLATES_OF_CLIENTS
from parlour.resources.messages.routes import MESSAGES_OF_CLIENTS
from parlour.resources.participants.routes import PARTICIPANTS_OF_CLIENTS
from parlour.resources.receipts.routes import RECIPIENTS_OF_CLIENTS
from parlour.resources.table import operations
from parlour.resources.user_conversations.routes import (
    CONVERSATIONS_OF_CLIENTS,
    PLACES_OF_CLIENTS,
)

COLLECTIONS: tuple[Collection, ...] = (
    CONVERSATIONS_OF_CLIENTS,
    PLACES_OF_CLIENTS,
    PARTICIPANTS_OF_CLIENTS,
    MESSAGES_OF_CLIENTS,
    RECIPIENTS_OF_CLIENTS,
    TEMPLATES_OF_CLIENTS,
    REGISTRATIONS_OF_CLIENTS,
)


@cache
def client_operations() -> dict[str, Operation]:
    """Every operation that a user may be permitted, by its id, in the form of its service."""
    own = (each for collection in COLLECTIONS for each in operations_of(collection))
    permitting = (
        each
        for each in operations()
        if each.url_form is UrlForm.SERVICE and each.spec.permits is not None
    )
    return {each.operation_id: each for each in (*own, *permitting)}
