"""Parameters of the operations on the webhook retry schedule of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.resources.webhook_retries.store import SCHEDULES

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


class UpdateWebhookRetries(Parameters):
    """A retry schedule; an empty text restores the server's default."""

    schedule: str | Unset | None = form_field(
        "Retries", parsers.clearable(parsers.enum(*SCHEDULES), None)
    )
