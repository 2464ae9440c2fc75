"""Routes of content templates: for clients, below Parlour's own version, and for official SDKs.

Clients only read them. The hosted service manages them in another product, whose paths are not
part of this API: its part that programs use is served here (``/v1/Content``).
"""

from __future__ import annotations

from parlour.operations import access
from parlour.operations.operation import (
    ACCOUNT_ONLY,
    SERVICE_ONLY,
    BodyKind,
    Collection,
    create,
    delete,
    fetch,
    list_,
    update,
)
from parlour.resources.content_templates import actions as content_template_actions
from parlour.resources.content_templates import approvals as content_template_approvals
from parlour.resources.content_templates import parameters as content_template_parameters
from parlour.resources.content_templates import representation as content_template_representation
from parlour.vocabulary import limits

CLIENT_CONTENT_TEMPLATES = Collection(
    noun="ClientContentTemplate",
    service_noun="ClientContentTemplate",
    path="/ContentTemplates",
    url_forms=SERVICE_ONLY,
    represent=content_template_representation.client_view,
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
        update(
            content_template_approvals.decide_approval,
            content_template_parameters.UpdateContentTemplate,
        ),
        delete(content_template_actions.delete_content_template),
    ),
    listed=False,
)
"""The collection through which an account configures its templates."""

CONTENTS = Collection(
    noun="Content",
    path="/Content",
    url_forms=ACCOUNT_ONLY,
    represent=content_template_representation.content,
    specs=(
        list_(
            content_template_actions.list_content_templates,
            key="contents",
            maximum=limits.PAGE_SIZE_MAX,
        ),
        create(
            content_template_actions.create_content_template,
            content_template_parameters.CreateContent,
            request_body=BodyKind.JSON,
        ),
        fetch(content_template_actions.fetch_content_template),
        delete(content_template_actions.delete_content_template),
    ),
    listed=False,
)
"""The same templates, as the official SDKs manage them (``client.content.v1.contents``)."""

CONTENTS_AND_APPROVALS = Collection(
    noun="ContentAndApproval",
    path="/ContentAndApprovals",
    url_forms=ACCOUNT_ONLY,
    represent=content_template_representation.content_and_approval,
    specs=(
        list_(
            content_template_actions.list_content_templates,
            key="contents",
            maximum=limits.PAGE_SIZE_MAX,
        ),
    ),
    listed=False,
)

APPROVAL = Collection(
    noun="ContentApproval",
    path="/Content/{Sid}/ApprovalRequests",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=content_template_representation.approval,
    specs=(fetch(content_template_approvals.fetch_approval),),
    listed=False,
)

WHATSAPP_APPROVAL = Collection(
    noun="ContentApprovalRequest",
    path="/Content/{Sid}/ApprovalRequests/whatsapp",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=content_template_representation.requested_approval,
    specs=(
        create(
            content_template_approvals.request_approval,
            content_template_parameters.RequestApproval,
            request_body=BodyKind.JSON,
        ),
    ),
    listed=False,
)
