"""Parameters of the operations on address configurations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers, url_parsers
from parlour.resources.webhook_configuration.parameters import event_name
from parlour.vocabulary import event_names, limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset

_COUNTRY = re.compile(r"[A-Za-z]{2}\Z")
_AUTO_CREATION = "auto_creation_"

address_type = parsers.enum("sms", "whatsapp", "messenger", "gbm", "email", "rcs", "apple", "chat")
_friendly_name = parsers.clearable(parsers.text(limits.FRIENDLY_NAME_CHARS_MAX, 50003), None)


def _country(name: str, text: str) -> str:
    """Return a country code of ISO 3166-1, with two letters."""
    if not _COUNTRY.match(text):
        raise ApiError.invalid(name)
    return text.upper()


class UpdateAddressConfiguration(Parameters):
    """A change of a configuration. Absent means unchanged; an empty text clears."""

    friendly_name: str | Unset | None = form_field("FriendlyName", _friendly_name)
    auto_creation_enabled: bool | Unset = form_field("AutoCreation.Enabled", parsers.boolean())
    auto_creation_type: str | Unset = form_field(
        "AutoCreation.Type", parsers.enum("webhook", "studio", "default")
    )
    auto_creation_conversation_service_sid: str | Unset | None = form_field(
        "AutoCreation.ConversationServiceSid", parsers.clearable(parsers.sid(sids.SERVICE), None)
    )
    auto_creation_webhook_url: str | Unset | None = form_field(
        "AutoCreation.WebhookUrl", parsers.clearable(url_parsers.url(50369, code_long=50372), None)
    )
    auto_creation_webhook_method: str | Unset = form_field(
        "AutoCreation.WebhookMethod", parsers.enum("get", "post", code=50055, upper=True)
    )
    auto_creation_webhook_filters: list[str] | Unset = form_field(
        "AutoCreation.WebhookFilters", event_name(event_names.SCOPED_FILTERS, 50365), repeated=True
    )
    auto_creation_studio_flow_sid: str | Unset | None = form_field(
        "AutoCreation.StudioFlowSid",
        parsers.clearable(parsers.sid(sids.STUDIO_FLOW, 50367), None),
    )
    auto_creation_studio_retry_count: int | Unset | None = form_field(
        "AutoCreation.StudioRetryCount",
        parsers.clearable(
            parsers.integer(50065, minimum=0, maximum=limits.WEBHOOK_RETRIES_MAX), None
        ),
    )

    def auto_creation(self) -> dict[str, Any]:
        """Return the given values of AutoCreation by member name; filters without duplicates."""
        sent = {
            name.removeprefix(_AUTO_CREATION): value
            for name, value in self.given().items()
            if name.startswith(_AUTO_CREATION)
        }
        filters = sent.get("webhook_filters", [])
        if len(filters) > limits.FILTERS_PER_WEBHOOK_MAX:
            raise ApiError(50365)
        if filters:
            sent["webhook_filters"] = list(dict.fromkeys(filters))
        return sent


class CreateAddressConfiguration(UpdateAddressConfiguration):
    """A new configuration. Type, address and country are immutable."""

    type: str = form_field("Type", address_type, required=True)
    address: str = form_field("Address", parsers.text(limits.ADDRESS_CHARS_MAX), required=True)
    address_country: str | Unset = form_field("AddressCountry", _country)


class ListAddressConfigurations(Parameters):
    """Filter of a list."""

    type: str | Unset = form_field("Type", address_type)
