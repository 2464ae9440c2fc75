"""The error codes of conversations, their states, timers and scoped webhooks."""

from __future__ import annotations

TABLE = """
50300 404 Channel not found
    Older form of 50350.
50301 400 Channel key not provided
    Older form of 50351.
50302 400 Unknown channel command
    Inner check of the older product. Not reachable here.
50303 400 Attributes too long
    Attributes has more bytes than the resource may hold.
50304 400 Attributes not valid JSON
    Attributes is not the text of a JSON value.
50305 400 Channel SID not provided
    Older form of 50351.
50306 400 Unique name should not match channel SID pattern
    Older form of 50390.
50307 409 Channel with provided unique name already exists
    Older form of 50353.
50308 400 Invalid Date Created parameter
    DateCreated is not an ISO 8601 date and time.
50309 400 Invalid Date Updated parameter
    DateUpdated is not an ISO 8601 date and time.
50310 400 Author parameter is too long
    Author has more than 256 characters.
50320 404 Channel webhook not found
    Older form of 50360.
50321 400 Too many channel webhooks
    Older form of 50361.
50322 400 Too many channel webhook triggers
    Older form of 50362.
50323 400 Invalid channel webhook sid
    Older form of 50363.
50324 400 Invalid channel webhook type
    Older form of 50364.
50325 400 Invalid channel webhook filter
    Older form of 50365.
50326 400 Invalid channel webhook trigger
    Older form of 50366.
50327 400 Invalid channel webhook flow sid
    Older form of 50367.
50328 400 Channel webhook type not provided
    Older form of 50368.
50329 400 Channel webhook url not provided
    Older form of 50369.
50330 400 Channel webhook filter not provided
    Older form of 50370.
50331 400 Channel webhook trigger not provided
    Older form of 50371.
50332 400 Channel webhook url too long
    Older form of 50372.
50334 409 Channel deletion operation is in progress
    The conversation is changed while it is being deleted.
50340 400 Messaging service SID not provided
    MessagingServiceSid is empty where one is needed.
50341 400 Invalid messaging service SID
    MessagingServiceSid is not MG and 32 hex digits.
50342 400 Messaging service does not belong to account
    MessagingServiceSid names a messaging service of another account.
50347 400 Parameters are missing for channel update request
    An update of a conversation names no parameter it knows.
50349 409 Conflicting channel modification
    Older form of 50391.
50350 404 Conversation not found
    The conversation does not exist; told to connected users, while REST answers 20404.
50351 400 Conversation SID not provided
    The conversation's sid is missing.
50353 409 Conversation with provided unique name already exists
    Another conversation of the service has this unique name.
50360 404 Conversation webhook not found
    The conversation has no such webhook; REST answers 20404.
50361 400 Too many conversation webhooks
    The conversation has five webhooks already.
50362 400 Too many conversation webhook triggers
    A webhook has more than five triggers.
50363 400 Invalid conversation webhook SID
    A webhook's sid is not WH and 32 hex digits.
50364 400 Invalid conversation webhook type
    Target is not webhook, trigger or studio.
50365 400 Invalid conversation webhook filter
    Configuration.Filters names something that is no post-event.
50366 400 Invalid conversation webhook trigger
    A trigger is empty or has more than 248 characters.
50367 400 Invalid conversation webhook flow SID
    Configuration.FlowSid is not FW and 32 hex digits.
50368 400 Conversation webhook type not provided
    Target was sent empty.
50369 400 Conversation webhook URL not provided
    A webhook or trigger target has no Configuration.Url.
50370 400 Conversation webhook filter not provided
    A webhook target has no Configuration.Filters.
50371 400 Conversation webhook trigger not provided
    A trigger target has no Configuration.Triggers.
50372 400 Conversation webhook URL is too long
    Configuration.Url has more than 512 characters.
50373 400 No Messaging Service assigned to Conversation
    A messaging participant needs a messaging service and none is configured.
50374 400 'State' field can't be empty
    State was sent empty.
50375 400 TimeToInactive should be greater or equal to 1 minute
    Timers.Inactive is shorter than a minute and is not PT0S.
50376 400 TimeToClosed should be greater or equal to 10 minutes
    Timers.Closed is shorter than ten minutes and is not PT0S.
50377 400 Can't update conversation as it's in final closed state
    The conversation is closed, and closed is final.
50378 400 'State' parameter value is invalid
    State is not active, inactive or closed.
50379 400 TimeToInactive format is invalid
    Timers.Inactive is not an ISO 8601 duration of fixed length.
50380 400 TimeToClosed format is invalid
    Timers.Closed is not an ISO 8601 duration of fixed length.
50382 400 Timer can't be set without state
    Kept for completeness: timers without a state are accepted.
50384 400 Initial state can't be 'closed'
    A conversation was to be created closed.
50385 400 Conversations are disabled in this region
    The product is not offered in a region. Not reachable here.
50386 400 Conversation in 'initializing' state may not be updated or used for message sending
    The conversation's participants are still being added.
50390 400 Unique name should not match conversation sid pattern
    UniqueName looks like a conversation's sid.
50391 409 Conflicting conversation modification
    Two requests change the same conversation at once, and this one came second.
50392 400 PreWebhookTimeout should be greater than 0ms
    Setting of the older product. Not reachable here.
50393 400 Type value should be 'private'.
    Setting of the older product. Not reachable here.
50396 400 EndDate parameter should be greater than StartDate parameter
    A list's EndDate lies before its StartDate.
"""
