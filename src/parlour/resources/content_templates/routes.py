"""Content templates: clients list them; REST has no path for them."""

from __future__ import annotations

from parlour.operations import access
from parlour.operations.operation import SERVICE_ONLY, Collection, list_
from parlour.resources.content_templates import actions, representation
from parlour.vocabulary import limits

TEMPLATES_OF_CLIENTS = Collection(
    noun="ClientContentTemplate",
    service_noun="ClientContentTemplate",
    path="/ContentTemplates",
    forms=SERVICE_ONLY,
    represent=representation.resource,
    deeds=(
        list_(
            actions.list_templates,
            key="templates",
            maximum=limits.PAGE_SIZE_MAX,
            permits=access.anybody,
        ),
    ),
    listed=False,
)
