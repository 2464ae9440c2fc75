"""What is shown of a participant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.vocabulary.values import write_date

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.participants.store import Participant


def messaging_binding(participant: Participant) -> dict[str, str] | None:
    """Only the members that are set; None for a participant that is reached by chat alone."""
    if participant.binding_type is None:
        return None
    shown = {"type": participant.binding_type}
    for name in ("address", "proxy_address", "projected_address"):
        text = getattr(participant, name)
        if text is not None:
            shown[name] = text
    if participant.binding_level is not None:
        shown["level"] = participant.binding_level
    if participant.binding_name is not None:
        shown["name"] = participant.binding_name
    return shown


def resource(participant: Participant, view: View) -> dict[str, Any]:
    """The REST resource, keys in documented order."""
    read_at = participant.last_read_timestamp
    shown: dict[str, Any] = {"account_sid": participant.account_sid}
    if view.shows_service:
        shown["chat_service_sid"] = participant.service_sid
    conversation_sid = participant.conversation_sid
    shown |= {
        "conversation_sid": conversation_sid,
        "sid": participant.sid,
        "identity": participant.identity,
        "attributes": participant.attributes,
        "messaging_binding": messaging_binding(participant),
        "role_sid": participant.role_sid,
        "date_created": write_date(participant.date_created),
        "date_updated": write_date(participant.date_updated),
        "url": (f"{view.base_url}/Conversations/{conversation_sid}/Participants/{participant.sid}"),
        "last_read_message_index": participant.last_read_message_index,
        "last_read_timestamp": None if read_at is None else write_date(read_at),
    }
    return shown
