"""Parameters of the operations on the notification settings of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset

_flag = parsers.boolean()
_template = parsers.clearable(parsers.text(limits.NOTIFICATION_TEMPLATE_CHARS_MAX, 50058), None)
_sound = parsers.clearable(parsers.text(limits.NOTIFICATION_SOUND_CHARS_MAX, 50059), None)


class UpdateServiceNotification(Parameters):
    """A change of the settings. Absent means unchanged; an empty text removes the member."""

    log_enabled: bool | Unset = form_field("LogEnabled", _flag)
    new_message_enabled: bool | Unset = form_field("NewMessage.Enabled", _flag)
    new_message_template: str | Unset | None = form_field("NewMessage.Template", _template)
    new_message_sound: str | Unset | None = form_field("NewMessage.Sound", _sound)
    new_message_badge_count_enabled: bool | Unset = form_field(
        "NewMessage.BadgeCountEnabled", _flag
    )
    added_to_conversation_enabled: bool | Unset = form_field("AddedToConversation.Enabled", _flag)
    added_to_conversation_template: str | Unset | None = form_field(
        "AddedToConversation.Template", _template
    )
    added_to_conversation_sound: str | Unset | None = form_field(
        "AddedToConversation.Sound", _sound
    )
    removed_from_conversation_enabled: bool | Unset = form_field(
        "RemovedFromConversation.Enabled", _flag
    )
    removed_from_conversation_template: str | Unset | None = form_field(
        "RemovedFromConversation.Template", _template
    )
    removed_from_conversation_sound: str | Unset | None = form_field(
        "RemovedFromConversation.Sound", _sound
    )
    with_media_enabled: bool | Unset = form_field("NewMessage.WithMedia.Enabled", _flag)
    with_media_template: str | Unset | None = form_field("NewMessage.WithMedia.Template", _template)
