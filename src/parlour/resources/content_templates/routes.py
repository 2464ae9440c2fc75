"""Routes of content templates: read-only for clients, configured below Parlour's own version.

The hosted service manages them in another product, whose paths are not part of this API.
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
from parlour.resources.content_templates import actions as content_template_actions
from parlour.resources.content_templates import parameters as content_template_parameters
from parlour.resources.content_templates import representation as content_template_representation
from parlour.vocabulary import limits

CLIENT_CONTENT_TEMPLATES = Collection(
    noun="ClientContentTemplate",
    service_noun="ClientContentTemplate",
    path="/ContentTemplates",
    url_forms=SERVICE_ONLY,
    represent=content_template_representation.resource,
    specs=(
        list_(
            content_template_actions.list_content_templates,
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
    represent=content_template_representation.resource,
    specs=(
        list_(
            content_template_actions.list_content_templates,
            key="content_templates",
            maximum=limits.PAGE_SIZE_MAX,
        ),
        create(
            content_template_actions.create_content_template,
            content_template_parameters.CreateContentTemplate,
        ),
        fetch(content_template_actions.fetch_content_template),
        delete(content_template_actions.delete_content_template),
    ),
    listed=False,
)
"""The collection through which an account configures its templates."""
