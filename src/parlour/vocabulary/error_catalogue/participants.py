"""Error codes of participants, their addresses and read positions, and lookups."""

from __future__ import annotations

TABLE = """
50400 404 User not member of channel
    Older form of 50430.
50401 400 Member SID not provided
    Older form of 50431.
50402 404 Member not found
    Older form of 50432.
50403 400 Channel member limit exceeded
    Older form of 50417.
50404 409 Member already exists
    Older form of 50433.
50405 400 Invalid last consumption timestamp format
    LastReadTimestamp is not an ISO 8601 date and time.
50406 400 Invalid last consumed message index format
    Older form of 50421.
50407 400 Invalid messaging binding address
    MessagingBinding.Address is malformed, too long, one of ours, or beside a projected address.
50408 400 Invalid participant proxy address
    MessagingBinding.ProxyAddress is malformed or too long.
50409 400 Participant address equals proxy address
    The address and the proxy address are the same.
50411 400 Participant address is empty
    A proxy address was sent without an address.
50412 400 Participant proxy address is empty
    An address without a proxy address joins no plain chat identity and no 1:1 pair.
50413 400 Account is not authorized to use proxy address
    The proxy address is not a sender of the account.
50414 400 Participant address type does not match proxy address type
    The address and the proxy address belong to different channels.
50415 400 Proxy address is not WhatsApp enabled sender
    The proxy address is not a WhatsApp sender of the account.
50416 409 A binding for this participant and proxy address already exists in \
Conversation {conversation_sid}
    The pair of addresses is bound in another conversation that is not closed.
50417 400 Participants limit exceeded
    The conversation has 1,000 participants.
50418 400 Non-Chat participants limit exceeded
    The conversation has 50 participants that are not chat users.
50419 409 Conflicting member modification
    Two requests change the same participant at once, and this one came second.
50420 400 Participant Messaging Binding type does not support all of the provided \
Messaging Binding parameters
    A parameter for e-mail was sent with an address of another channel.
50421 400 Invalid last read message index format
    LastReadMessageIndex is not a non-negative integer.
50422 400 Non-chat conversation participants limit exceeded
    Other form of 50418, which is the one raised.
50424 400 One of the JSON requests for participant creation is invalid.
    A Participant value is not a JSON object that describes a participant.
50425 409 Participant and proxy address pairs for one or more participants already in use.
    One of the address pairs sent is bound in another conversation.
50426 400 Request contains too many participants.
    More than ten participants were sent in one request.
50427 0 Errors occurred during multiple participants creation.
    Adding the participants of a new conversation failed, and the conversation was closed.
50430 403 Participant is not a member of conversation
    The user is not in the conversation.
50431 400 Participant SID not provided
    The participant's sid is missing.
50432 404 Participant not found
    The conversation has no such participant; REST answers 20404.
50433 409 Participant already exists
    The identity is a participant of the conversation already.
50434 400 Participant projected address not provided
    A group MMS conversation was given a participant without any address.
50435 400 Group MMS activation failed.
    The participants do not make up a group MMS conversation.
50436 400 Participant limit exceeded for group conversation
    The group MMS conversation has ten participants.
50437 409 Group Participant already exists
    The same participant is in the group already.
50438 409 Group MMS with given participant list already exists as \
Conversation {conversation_sid}
    The change would complete the list of addresses of another open group.
50439 400 Account is not authorized to use the projected address
    MessagingBinding.ProjectedAddress is not a number of the account.
50440 400 Failed to remove the proxy address of a participant.
    The participant has no proxy address to remove.
50441 400 Failed to add a proxy address to a participant.
    The participant has no address a proxy address could be paired with.
50442 400 Failed to remove the projected address of a participant.
    The participant has no projected address that can be removed.
50443 400 Failed to add a projected address to a participant.
    The participant has an address, which excludes a projected one.
50444 400 Failed to add an identity to a participant.
    The participant has an identity already, or no projected address.
50449 409 Conflicting channel modification
    Older form of 50391.
50451 400 One user identifier parameter for lookup at a time is allowed. \
Please, use either Identity or Address.
    A look-up names both an identity and an address.
50452 403 Group MMS is not enabled for this Account
    The account may not use group MMS.
50453 400 Proxy Address of participant is not supported for this channel
    A proxy address was sent for a channel that has none.
50610 0 Address configuration deleted
    The number of an address configuration left the account. Parlour keeps the configuration.
"""
