"""Parameters of a signature: the URL, and the form or the body of the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers, url_parsers
from parlour.resources.webhook_samples.parameters import parse_form_fields
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


class CreateWebhookSignature(Parameters):
    """A request: of a form, of a JSON body, or, without either, by GET."""

    url: str | Unset = form_field("Url", url_parsers.url(), required=True)
    form_fields: dict[str, str] | Unset = form_field("Parameters", parse_form_fields)
    body: str | Unset = form_field("Body", parsers.text(limits.SIGNED_BODY_CHARS_MAX))
