"""Parameters of the operations on the webhook configuration of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers, url_parsers
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import Unset

if TYPE_CHECKING:
    from collections.abc import Callable


def event_name(names: frozenset[str], code: int) -> Callable[[str, str], str]:
    """Return a parser of event names, which are case-sensitive."""

    def parse(_name: str, text: str) -> str:
        if text not in names:
            raise ApiError(code)
        return text

    return parse


class UpdateWebhooks(Parameters):
    """A change that account and service have in common. Absent means unchanged."""

    method: str | Unset = form_field("Method", parsers.enum("get", "post", code=50055, upper=True))
    filters: list[str] | Unset = form_field(
        "Filters", event_name(event_names.FILTERS, 50054), repeated=True
    )
    pre_webhook_url: str | Unset | None = form_field(
        "PreWebhookUrl", parsers.clearable(url_parsers.url(50077), None)
    )
    post_webhook_url: str | Unset | None = form_field(
        "PostWebhookUrl", parsers.clearable(url_parsers.url(50078), None)
    )

    def columns(self) -> dict[str, Any]:
        """Return the given values by column: the list as JSON, without duplicates."""
        sent = self.given()
        if not isinstance(self.filters, Unset):
            if len(self.filters) > limits.FILTERS_PER_WEBHOOK_MAX:
                raise ApiError(50054)
            names = list(dict.fromkeys(self.filters))
            sent["filters"] = msgspec.json.encode(names).decode()
        return sent


class UpdateWebhookConfiguration(UpdateWebhooks):
    """A change of an account's webhook configuration."""

    target: str | Unset = form_field("Target", parsers.enum("webhook", "flex"))
