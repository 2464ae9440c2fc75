"""The error codes of services, their settings and webhooks, rates, roles and users."""

from __future__ import annotations

TABLE = """
50000 400 FriendlyName not provided
    FriendlyName was sent empty where it is required.
50001 400 Account SID not provided
    Inner check of the older product: no account was named. Not reachable here.
50002 409 Resource is being deleted
    The resource is in the middle of its deletion.
50003 400 Friendly name too long
    FriendlyName has more than 256 characters.
50004 400 Unique Name too long
    UniqueName has more than 256 characters.
50006 400 Invalid Account SID
    The account sid is not AC and 32 hex digits.
50050 404 Service Instance not found
    A service named in a parameter or a token does not exist in the account.
50051 400 Service SID not provided
    The service's sid is missing.
50052 400 Invalid consumption interval format
    Setting of the older product. Not reachable here.
50053 400 Invalid typing indicator format
    Setting of the older product. Not reachable here.
50054 400 Invalid webhook format
    Filters of the account's or service's webhooks name an unknown event.
50055 400 Invalid webhook method
    A webhook's method is neither GET nor POST.
50056 403 Webhook disabled processing of command
    A pre-event webhook refused the action by answering with an error status.
50057 0 Webhook call failed to execute successfully
    A post-event webhook answered with an error status.
50058 400 Notification template too long
    A push template has more than 512 characters.
50059 400 Notification sound name too long
    The name of a push sound has more than 128 characters.
50060 400 Invalid user channels limit format
    Setting of the older product. Not reachable here.
50061 400 Invalid channel members limit format
    Setting of the older product. Not reachable here.
50063 429 Actions per second limit exceeded
    The service or conversation is changed more often per second than allowed.
50065 400 Invalid webhook retry count
    A webhook's or flow's retry count is not between 0 and 3.
50068 400 Service instance unique name invalid
    Services have no unique name. Not reachable here.
50069 409 Service instance with provided unique name already exists
    Services have no unique name. Not reachable here.
50074 429 Global actions per second limit exceeded
    The account as a whole makes more changes per second than allowed.
50076 0 Webhook failed to execute successfully due to timeout
    A webhook did not answer within its time; a pre-event action then goes ahead unchanged.
50077 400 Invalid pre-webhook url
    PreWebhookUrl is not an absolute http or https URL.
50078 400 Invalid post-webhook url
    PostWebhookUrl is not an absolute http or https URL.
50100 404 Role not found
    The role does not exist in the service.
50101 400 Channel role not found
    Older form of 50109.
50102 400 Deployment role not found
    A user's RoleSid is unknown or is not a service role.
50103 400 Role SID not provided
    The role's sid is missing.
50104 400 Permission not found
    A permission is unknown, or is not one a role of this type can carry.
50105 400 Invalid role type
    A role's Type is neither conversation nor service.
50106 400 Channel creator role not found
    The service's default role for creators does not exist.
50107 403 User not authorized for command
    The user's roles do not grant the permission the action needs.
50109 400 Conversation role not found
    A RoleSid is unknown or is not a conversation role of the service.
50200 404 User not found
    The user does not exist in the service.
50201 409 User already exists
    Another user of the service has this identity.
50202 400 User SID not provided
    The user's sid is missing.
50203 400 Identity reserved
    The identity is a word the server keeps for itself.
50204 400 Identity not provided
    A participant was given neither an identity nor an address, or an empty identity.
50205 403 User unauthorized to set role
    The user's roles do not allow giving this role.
50206 400 Identity should not match user SID pattern
    The identity looks like a user's sid.
50207 400 Identity too long
    The identity has more than 256 characters.
50208 400 User channel limit exceeded
    Older form of 50214.
50209 400 Invalid binding type
    A push binding's type is unknown.
50210 400 Invalid notification level
    NotificationLevel is neither default nor muted.
50211 400 Identity parameter not acceptable for this Participant
    An identity was sent together with an address or a proxy address.
50212 409 User already invited
    Invitations belong to the older product. Not reachable here.
50213 409 Conflicting user modification
    Two requests add or remove the same user at once, and this one came second.
50214 400 User conversation limit exceeded
    The user is in 1,000 conversations that are not closed.
"""
