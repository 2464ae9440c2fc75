"""What is shown of a content template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.resources.content_templates.store import variables_in
from parlour.vocabulary.values import write_date_ms

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.content_templates.store import ContentTemplate


def client_resource(template: ContentTemplate) -> dict[str, Any]:
    """What clients see of a template: a text, and its places as variables without a sample."""
    variables = dict.fromkeys(variables_in(template), "")
    return {
        "sid": template.sid,
        "account_sid": template.account_sid,
        "friendly_name": template.friendly_name,
        "variables": msgspec.json.encode(variables).decode(),
        "variants": {"twilio/text": {"body": template.body}},
        "date_created": write_date_ms(template.date_created),
        "date_updated": write_date_ms(template.date_updated),
    }


def resource(template: ContentTemplate, _view: View) -> dict[str, Any]:
    """The same: whoever configures a template sees what its clients will."""
    return client_resource(template)
