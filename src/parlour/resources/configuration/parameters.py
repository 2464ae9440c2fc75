"""Parameters of the operations on the configuration of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.resources.timer_parsers import closed_timer, inactive_timer
from parlour.vocabulary import sids
from parlour.vocabulary.unset import UNSET, Unset

if TYPE_CHECKING:
    from parlour.protocol.parsers import Parser


def _default_timer(seconds: Parser[int]) -> Parser[str | None]:
    """Return a timer as text, which responses show as it was sent; None when it is off."""

    def parse(name: str, text: str) -> str | None:
        return text if seconds(name, text) else None

    return parse


class UpdateConfiguration(Parameters):
    """A change of the configuration. Absent means unchanged; so do empty sids."""

    default_chat_service_sid: str | Unset = form_field(
        "DefaultChatServiceSid", parsers.clearable(parsers.sid(sids.SERVICE), UNSET)
    )
    default_messaging_service_sid: str | Unset = form_field(
        "DefaultMessagingServiceSid",
        parsers.clearable(parsers.sid(sids.MESSAGING_SERVICE, 50341), UNSET),
    )
    default_inactive_timer: str | Unset | None = form_field(
        "DefaultInactiveTimer", _default_timer(inactive_timer)
    )
    default_closed_timer: str | Unset | None = form_field(
        "DefaultClosedTimer", _default_timer(closed_timer)
    )
