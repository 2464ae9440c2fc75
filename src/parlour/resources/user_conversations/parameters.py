"""What may be said about a user's conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from parlour.operations.parameters import Parameters, said
from parlour.protocol import parsers, timestamps
from parlour.resources.participants.parameters import last_read_message_index

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateUserConversation(Parameters):
    """A change of what a user alone sees. Absent means unchanged."""

    nothing_said_code: ClassVar[int | None] = 20161

    notification_level: str | Unset = said(
        "NotificationLevel", parsers.enum("default", "muted", code=50210)
    )
    last_read_message_index: int | Unset | None = said(
        "LastReadMessageIndex", last_read_message_index
    )
    last_read_timestamp: int | Unset = said("LastReadTimestamp", timestamps.timestamp(50405))
