"""The error codes of messages, media, content templates, invitations and virtual agents."""

from __future__ import annotations

TABLE = """
50500 404 Message not found
    The conversation has no such message; REST answers 20404.
50501 400 Message SID not provided
    The message's sid is missing.
50502 400 Message index not provided
    The message's index is missing.
50503 400 Message body not provided
    Kept for completeness: a message without a body is accepted.
50504 400 Message body parameter is too long
    Body is longer than the recipients' channels carry.
50505 400 Last Updated By parameter is too long
    Parameter of the older product. Not reachable here.
50506 400 Media SID not provided
    MediaSid was sent empty.
50507 400 Media not found
    MediaSid names no uploaded medium of the service.
50508 400 Media already sent with another message
    The medium belongs to another message.
50509 400 Media message body cannot be updated
    Kept for completeness: the body of a media message may be changed.
50510 400 Invalid message media SID
    MediaSid is not ME and 32 hex digits.
50511 400 Invalid message media content type
    The medium's type is not allowed.
50512 413 Message media size is too large
    The medium is larger than allowed; with status 400 when a message names it.
50513 400 Message author should be among Group MMS participants.
    The author of a group MMS message is no participant.
50514 409 Conflicting message modification
    Two requests change the same message at once, and this one came second.
50516 400 Message index is not a number
    A connected user named a message by something that is no index.
50526 400 Invalid content SID
    ContentSid is not HX and 32 hex digits, or names no content template.
50527 400 Invalid content variables format
    ContentVariables is not a JSON object of plain values, or has a null character.
50528 400 Content SID is missing
    ContentVariables was sent without ContentSid.
50529 400 Content variables are too long
    ContentVariables has more than 100 variables or too many bytes.
50530 404 Channel Metadata not found
    The message has no channel metadata.
50531 403 Not Authorized to make this request
    The user's roles do not allow reading channel metadata.
50532 500 Failed to create Channel Metadata
    Channel metadata could not be stored.
50533 400 Failed to parse ChannelMetadata Json
    Channel metadata is not the JSON that is expected.
50534 500 Failed to Read ChannelMetadata
    Channel metadata could not be read.
50540 400 Content variable key is too long
    The name of a content variable has more than 16 characters.
50541 400 Content variable value is too long
    The value of a content variable has more than 256 characters.
50542 400 Unsupported Content Template Type
    The content template is of a type conversations cannot send.
50600 400 Invite SID not provided
    Invitations belong to the older product. Not reachable here.
50601 404 Invite not found
    Invitations belong to the older product. Not reachable here.
50602 400 Cannot decline invite when already channel member.
    Invitations belong to the older product. Not reachable here.
50700 400 Virtual Agent provider is invalid.
    A virtual agent's provider is unknown. Not reachable here.
50701 400 Only one Virtual Agent participant is allowed per conversation.
    The conversation has a virtual agent already. Not reachable here.
50702 400 Verify Agent participant should not have identity, user address, proxy address, \
projected address.
    A virtual agent was given an identity or an address. Not reachable here.
50703 400 DialogflowCX provider must contain module sid and addon sid.
    A virtual agent's provider lacks its module or add-on. Not reachable here.
50704 400 Provided addon sid should have prefix XB.
    An add-on's sid does not start with XB. Not reachable here.
50705 400 Provided module sid should have prefix XE.
    A module's sid does not start with XE. Not reachable here.
50706 400 Updating Virtual Agent participant information is not allowed.
    A virtual agent was to be changed. Not reachable here.
50707 403 Virtual Agent participant creation is not available for your account.
    The account may not use virtual agents. Not reachable here.
50708 400 ChatbotConfiguration.FriendlyName is required parameter.
    A virtual agent has no name. Not reachable here.
50709 400 ChatbotConfiguration.FriendlyName is invalid.
    A virtual agent's name has more than 256 characters. Not reachable here.
50710 400 ChatbotConfiguration.InitialContext is invalid.
    A virtual agent's context has more than 32,768 characters. Not reachable here.
50711 400 ChatbotConfiguration.FriendlyName is reserved.
    A virtual agent's name is a word the server keeps for itself. Not reachable here.
"""
