"""Parameters of webhook endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import url_parsers

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


class RetryWebhookEndpoint(Parameters):
    """The URL of the endpoint, as it is listed or with its user name and password."""

    url: str | Unset = form_field("Url", url_parsers.url(), required=True)
