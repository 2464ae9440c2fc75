"""What may be said about the retries of an account's webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, said
from parlour.resources.webhook_retries.store import SCHEDULES
from parlour.vocabulary import values

if TYPE_CHECKING:
    from parlour.vocabulary.values import Unset


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateWebhookRetries(Parameters):
    """A choice; an empty one goes back to the server's default."""

    retries: str | Unset | None = said("Retries", values.clearable(values.enum(*SCHEDULES), None))
