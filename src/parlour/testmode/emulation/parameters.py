"""Parameters of the operations on the emulation of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.resources.webhook_retries.store import SCHEDULES
from parlour.testmode.emulation.emulations import TOKEN_CLOCKS, UNKNOWN_PARAMETERS
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


class UpdateEmulation(Parameters):
    """The changes; an absent parameter is unchanged.

    An empty ``ActionsPerSecond`` or ``WebhookRetries`` restores the server's setting.
    """

    actions_per_second: int | Unset | None = form_field(
        "ActionsPerSecond",
        parsers.clearable(
            parsers.integer(minimum=0, maximum=limits.EMULATED_ACTIONS_PER_SECOND_MAX), None
        ),
    )
    unknown_parameters: str | Unset = form_field(
        "UnknownParameters", parsers.enum(*UNKNOWN_PARAMETERS)
    )
    webhook_retries: str | Unset | None = form_field(
        "WebhookRetries", parsers.clearable(parsers.enum(*SCHEDULES), None)
    )
    token_clock: str | Unset = form_field("TokenClock", parsers.enum(*TOKEN_CLOCKS))
    latency_ms: int | Unset = form_field(
        "LatencyMs", parsers.integer(minimum=0, maximum=limits.EMULATED_LATENCY_MS_MAX)
    )
