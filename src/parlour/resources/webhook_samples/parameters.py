"""Parameters of a sample, and the parser of form fields in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers, url_parsers
from parlour.resources.webhook_samples.examples import EVENTS
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset

_decode = msgspec.json.Decoder(dict[str, str]).decode


def parse_form_fields(name: str, text: str) -> dict[str, str]:
    """Return a JSON object of texts. Raises 20001 for anything else, or one that is too large."""
    if len(text) > limits.SAMPLE_JSON_CHARS_MAX:
        raise ApiError.invalid(name)
    try:
        fields = _decode(text)
    except (ValueError, RecursionError):
        raise ApiError(20001, f"{name} is not a JSON object of strings.") from None
    if len(fields) > limits.SAMPLE_PARAMETERS_MAX:
        raise ApiError.invalid(name)
    return fields


class CreateWebhookSample(Parameters):
    """The event and the receiver; ``Parameters`` replace parameters of the example."""

    event_type: str | Unset = form_field("EventType", parsers.enum(*EVENTS), required=True)
    url: str | Unset = form_field("Url", url_parsers.url(), required=True)
    method: str | Unset = form_field("Method", parsers.enum("GET", "POST", upper=True))
    form_fields: dict[str, str] | Unset = form_field("Parameters", parse_form_fields)
