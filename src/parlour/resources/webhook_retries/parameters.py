"""What may be said about the retries of an account's webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.resources.webhook_retries.store import SCHEDULES

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateWebhookRetries(Parameters):
    """A choice; an empty one goes back to the server's default."""

    retries: str | Unset | None = form_field(
        "Retries", parsers.clearable(parsers.enum(*SCHEDULES), None)
    )
