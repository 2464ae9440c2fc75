"""The table of triggers: one for each post-action event.

A trigger runs one operation of the API. It names the objects that must exist before, which are
created without webhooks if the request does not name them, and the kind of the operation's object.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from parlour.vocabulary import event_names
from parlour.vocabulary.errors import ApiError

CONVERSATION: Final = "conversation"
PARTICIPANT: Final = "participant"
MESSAGE: Final = "message"
USER: Final = "user"
RECIPIENT: Final = "recipient"
"""A participant with a messaging address."""

DEFAULT_BODY: Final = "Hello from a trigger"
DEFAULT_ADDRESS: Final = "+15005550100"
DEFAULT_PROXY_NUMBER: Final = "+15005550006"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """How one event is caused.

    ``operation_id`` is the id in the short URL form. ``subject`` is the kind of object that the
    operation creates, changes or deletes; one of ``needs`` if it exists before.
    """

    event_type: str
    operation_id: str
    subject: str
    needs: tuple[str, ...] = ()

    @property
    def creates(self) -> bool:
        """Whether the operation creates its object."""
        return self.operation_id.startswith("Create")

    @property
    def updates(self) -> bool:
        """Whether the operation changes its object."""
        return self.operation_id.startswith("Update")

    @property
    def selectors(self) -> frozenset[str]:
        """The parameters that name the objects, in addition to the operation's parameters."""
        names = {"EventType", "ChatServiceSid"}
        if CONVERSATION in self.needs:
            names |= {"ConversationSid", "Identity", "Address", "ProxyAddress"}
        if PARTICIPANT in self.needs:
            names.add("ParticipantSid")
        if MESSAGE in self.needs:
            names.add("MessageSid")
        if USER in self.needs:
            names |= {"UserSid", "Identity"}
        return frozenset(names)


TRIGGERS: Final = (
    Trigger(
        event_type=event_names.ON_MESSAGE_ADDED,
        operation_id="CreateConversationMessage",
        subject=MESSAGE,
        needs=(CONVERSATION,),
    ),
    Trigger(
        event_type=event_names.ON_MESSAGE_UPDATED,
        operation_id="UpdateConversationMessage",
        subject=MESSAGE,
        needs=(CONVERSATION, MESSAGE),
    ),
    Trigger(
        event_type=event_names.ON_MESSAGE_REMOVED,
        operation_id="DeleteConversationMessage",
        subject=MESSAGE,
        needs=(CONVERSATION, MESSAGE),
    ),
    Trigger(
        event_type=event_names.ON_CONVERSATION_ADDED,
        operation_id="CreateConversation",
        subject=CONVERSATION,
    ),
    Trigger(
        event_type=event_names.ON_CONVERSATION_UPDATED,
        operation_id="UpdateConversation",
        subject=CONVERSATION,
        needs=(CONVERSATION,),
    ),
    Trigger(
        event_type=event_names.ON_CONVERSATION_REMOVED,
        operation_id="DeleteConversation",
        subject=CONVERSATION,
        needs=(CONVERSATION,),
    ),
    Trigger(
        event_type=event_names.ON_CONVERSATION_STATE_UPDATED,
        operation_id="UpdateConversation",
        subject=CONVERSATION,
        needs=(CONVERSATION,),
    ),
    Trigger(
        event_type=event_names.ON_PARTICIPANT_ADDED,
        operation_id="CreateConversationParticipant",
        subject=PARTICIPANT,
        needs=(CONVERSATION,),
    ),
    Trigger(
        event_type=event_names.ON_PARTICIPANT_UPDATED,
        operation_id="UpdateConversationParticipant",
        subject=PARTICIPANT,
        needs=(CONVERSATION, PARTICIPANT),
    ),
    Trigger(
        event_type=event_names.ON_PARTICIPANT_REMOVED,
        operation_id="DeleteConversationParticipant",
        subject=PARTICIPANT,
        needs=(CONVERSATION, PARTICIPANT),
    ),
    Trigger(
        event_type=event_names.ON_DELIVERY_UPDATED,
        operation_id="CreateConversationMessage",
        subject=MESSAGE,
        needs=(CONVERSATION, RECIPIENT),
    ),
    Trigger(
        event_type=event_names.ON_USER_ADDED,
        operation_id="CreateUser",
        subject=USER,
    ),
    Trigger(
        event_type=event_names.ON_USER_UPDATED,
        operation_id="UpdateUser",
        subject=USER,
        needs=(USER,),
    ),
)

_BY_EVENT: Final = {each.event_type: each for each in TRIGGERS}


def trigger_of(event_type: str) -> Trigger:
    """Return the trigger of an event. Raises 20001 with the nearest name."""
    found = _BY_EVENT.get(event_type)
    if found is None:
        hint = did_you_mean(event_type, _BY_EVENT)
        raise ApiError(20001, f"There is no trigger of EventType {event_type[:100]}{hint}")
    return found


def did_you_mean(name: str, known: dict[str, Trigger] | frozenset[str]) -> str:
    """Return the end of an error message: the nearest known name, if any is near."""
    near = get_close_matches(name[:100], sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else "."
