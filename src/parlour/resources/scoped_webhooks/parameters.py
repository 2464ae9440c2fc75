"""Parameters of the operations on scoped webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Self

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers, url_parsers
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.event_names import SCOPED_FILTERS
from parlour.vocabulary.unset import UNSET, Unset

if TYPE_CHECKING:
    from parlour.protocol.forms import FormFields

WEBHOOK: Final = "webhook"
TRIGGER: Final = "trigger"
STUDIO: Final = "studio"

_target = parsers.enum(WEBHOOK, TRIGGER, STUDIO, code=50364)
_given_url = url_parsers.url(code_long=50372)


def _url(name: str, text: str) -> str | None:
    """Return a URL; empty clears it, which is valid for a flow only."""
    return _given_url(name, text) if text else None


def _filter(_name: str, text: str) -> str:
    """Return a conversation's post-action event in its canonical case."""
    if text not in SCOPED_FILTERS:
        raise ApiError(50365)
    return text


def _trigger(_name: str, text: str) -> str:
    if not 1 <= len(text) <= limits.TRIGGER_CHARS_MAX:
        raise ApiError(50366)
    return text


class WebhookParameters(Parameters):
    """The parameters that create and update have in common."""

    url: str | Unset | None = form_field("Configuration.Url", _url)
    method: str | Unset = form_field(
        "Configuration.Method", parsers.enum("get", "post", code=50055, upper=True)
    )
    filters: list[str] | Unset = form_field("Configuration.Filters", _filter, repeated=True)
    triggers: list[str] | Unset = form_field("Configuration.Triggers", _trigger, repeated=True)
    flow_sid: str | Unset = form_field(
        "Configuration.FlowSid", parsers.sid(sids.STUDIO_FLOW, 50367)
    )

    def check_list_sizes(self) -> None:
        """Raise the documented errors for too many triggers or filters."""
        triggers = self.triggers
        if triggers is not UNSET and len(triggers) > limits.TRIGGERS_PER_WEBHOOK_MAX:
            raise ApiError(50362)
        if self.filters is not UNSET and len(self.filters) > limits.FILTERS_PER_WEBHOOK_MAX:
            raise ApiError(50365)


class CreateScopedWebhook(WebhookParameters):
    """A new webhook; which other parameters are required depends on its target."""

    target: str = form_field("Target", _target, required=True)
    replay_after: int | Unset = form_field("Configuration.ReplayAfter", parsers.integer(minimum=0))

    @classmethod
    def parse(cls, form: FormFields) -> Self:
        """Return the parameters of a form. An empty target raises a separate error code."""
        if form.get("Target", [""])[-1] == "" and "Target" in form:
            raise ApiError(50368)
        # ``dataclass(slots=True)`` replaces the class, so ``super()`` without arguments fails.
        return super().parse(form)


class UpdateScopedWebhook(WebhookParameters):
    """A change of a webhook, without target and replay. Absent means unchanged."""

    empty_update_code: ClassVar[int | None] = 20161
