"""Content templates: clients list them, and an account keeps them below Parlour's own version.

The hosted service keeps them in another product, whose paths are none of this API's.
"""

from __future__ import annotations

from parlour.operations import access
from parlour.operations.operation import (
    ACCOUNT_ONLY,
    SERVICE_ONLY,
    Collection,
    create,
    delete,
    fetch,
    list_,
)
from parlour.resources.content_templates import actions, parameters, representation
from parlour.vocabulary import limits

TEMPLATES_OF_CLIENTS = Collection(
    noun="ClientContentTemplate",
    service_noun="ClientContentTemplate",
    path="/ContentTemplates",
    url_forms=SERVICE_ONLY,
    represent=representation.resource,
    specs=(
        list_(
            actions.list_templates,
            key="templates",
            maximum=limits.PAGE_SIZE_MAX,
            permits=access.allow_any_user,
        ),
    ),
    listed=False,
)

CONTENT_TEMPLATES = Collection(
    noun="ContentTemplate",
    version="/parlour/v1",
    path="/ContentTemplates",
    url_forms=ACCOUNT_ONLY,
    represent=representation.resource,
    specs=(
        list_(actions.list_templates, key="content_templates", maximum=limits.PAGE_SIZE_MAX),
        create(actions.create_template, parameters.CreateContentTemplate),
        fetch(actions.fetch_template),
        delete(actions.delete_template),
    ),
    listed=False,
)
"""Where an account configures its templates."""
