"""Parameters of the operations on user conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers, timestamps
from parlour.resources.participants.parameters import last_read_message_index

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


class UpdateUserConversation(Parameters):
    """A change of a membership, visible to its user only. Absent means unchanged."""

    empty_update_code: ClassVar[int | None] = 20161

    notification_level: str | Unset = form_field(
        "NotificationLevel", parsers.enum("default", "muted", code=50210)
    )
    last_read_message_index: int | Unset | None = form_field(
        "LastReadMessageIndex", last_read_message_index
    )
    last_read_timestamp: int | Unset = form_field("LastReadTimestamp", timestamps.timestamp(50405))
