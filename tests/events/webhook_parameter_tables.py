"""The parameters of every webhook event, table by table as the API documents them.

R: always present; O: present if there is a value; -: never. Common parameters are listed
separately.
"""

from __future__ import annotations

from typing import Final

COMMON: Final = "EventType AccountSid ChatServiceSid RetryCount"
"""Of every event. All but ``onDeliveryUpdated`` have ``Source``, and ``ClientIdentity`` too where
a client did it."""
BY_WHOM: Final = "Source ClientIdentity"

_MESSAGES = """
                                 Add Added Update Updated Remove Removed
ConversationSid                   R    R     R      R       R      R
MessageSid                        -    R     R      R       R      R
Index                             -    R     R      R       R      R
MessagingServiceSid               -    R     -      -       -      -
DateCreated                       -    R     R      R       R      R
DateUpdated                       -    -     R      R       R      R
DateRemoved                       -    -     -      -       -      R
Body                              O    O     O      O       O      O
Author                            R    R     R      R       R      R
ParticipantSid                    O    O     O      O       O      O
Attributes                        R    R     R      R       R      R
Media                             O    O     O      O       O      O
Subject                           O    O     O      O       O      O
ContentSid                        O    O     O      O       O      O
"""
_CONVERSATIONS = """
                                 Add Added Update Updated Remove Removed
ConversationSid                   -    R     R      R       R      R
DateCreated                       -    R     R      R       R      R
DateUpdated                       -    R     R      R       R      R
DateRemoved                       -    -     -      -       -      R
FriendlyName                      O    O     O      O       O      O
UniqueName                        O    O     O      O       O      O
Attributes                        R    R     R      R       R      R
ChatServiceSid                    R    R     R      R       R      R
MessagingServiceSid               R    R     R      R       R      R
State                             R    R     R      R       R      R
MessagingBinding.ProxyAddress     O    O     -      -       -      -
MessagingBinding.Address          O    O     -      -       -      -
MessagingBinding.ProjectedAddress O    O     -      -       -      -
MessagingBinding.AuthorAddress    O    O     -      -       -      -
MessageBody                       O    -     -      -       -      -
Media                             O    -     -      -       -      -
ChannelMetadata                   -    O     -      -       -      -
"""
# A participant with only an address, or only a projected one, has no role.
_PARTICIPANTS = """
                                 Add Added Update Updated Remove Removed
ConversationSid                   R    R     R      R       R      R
ParticipantSid                    -    R     R      R       R      R
DateCreated                       -    R     R      R       R      R
DateUpdated                       -    -     R      R       R      R
DateRemoved                       -    -     -      -       -      R
Identity                          O    O     O      O       O      O
RoleSid                           O    O     O      O       O      O
Attributes                        R    R     R      R       R      R
MessagingBinding.ProxyAddress     O    O     O      O       O      O
MessagingBinding.Address          O    O     O      O       O      O
MessagingBinding.ProjectedAddress O    O     O      O       O      O
MessagingBinding.Type             R    R     R      R       R      R
MessagingBinding.Level            O    O     O      O       O      O
MessagingBinding.Name             O    O     O      O       O      O
LastReadMessageIndex              -    -     -      O       -      -
"""
_USERS = """
                                 Added Update Updated
ChatServiceSid                    R      R      R
UserSid                           R      R      R
DateCreated                       R      -      R
DateUpdated                       -      R      R
Identity                          R      R      R
RoleSid                           R      R      R
Attributes                        R      R      R
FriendlyName                      O      O      O
isOnline                          -      -      O
isNotifiable                      -      -      O
"""
_STATES = """
                                 Updated
ConversationSid                   R
ChatServiceSid                    R
MessagingServiceSid               R
StateUpdated                      R
StateFrom                         R
StateTo                           R
Reason                            R
"""
# The channel names its message at submission: a message that could not be sent has no name.
_DELIVERIES = """
                                 Updated
ConversationSid                   R
ChatServiceSid                    R
MessageSid                        R
ParticipantSid                    R
DeliveryReceiptSid                R
ChannelMessageSid                 O
Status                            R
ErrorCode                         O
DateCreated                       R
DateUpdated                       R
"""


def _read(noun: str, table: str) -> dict[str, dict[str, str]]:
    """Return the letters of a table, by event and parameter."""
    head, *rows = table.strip().splitlines()
    found: dict[str, dict[str, str]] = {f"on{noun}{phase}": {} for phase in head.split()}
    for row in rows:
        name, *letters = row.split()
        for event, letter in zip(found, letters, strict=True):
            if letter != "-":
                found[event][name] = letter
    return found


EVENTS: Final = (
    _read("Message", _MESSAGES)
    | _read("Conversation", _CONVERSATIONS)
    | _read("Participant", _PARTICIPANTS)
    | _read("User", _USERS)
    | _read("ConversationState", _STATES)
    | _read("Delivery", _DELIVERIES)
)
"""The letter of each parameter, by event."""


def names(event: str, letters: str) -> set[str]:
    """Return the parameters of an event that have one of these letters."""
    return {name for name, letter in EVENTS[event].items() if letter in letters}
