"""The 103 operations of the API: a fact that the server and its tests are compared with."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class DescribedOperation:
    """One operation: its ID, method, path and success statuses."""

    operation_id: str
    method: str
    path: str
    statuses: tuple[int, ...]

    def matches(self, method: str, path: str) -> bool:
        """Return whether a request with this method and path (no query) is this operation."""
        return method == self.method and self._pattern().fullmatch(path) is not None

    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{\w+\}", "[^/]+", self.path))


def operation_of(method: str, path: str) -> DescribedOperation | None:
    """Return the operation of a request; None if it is none of the 103."""
    return next((each for each in OPERATIONS if each.matches(method, path)), None)


_SHORTHAND = {
    "<IS>": "/Services/{ChatServiceSid}",
    "<US>": "/Users/{UserSid}",
    "<CH>": "/Conversations/{ConversationSid}",
}


def _operation(line: str) -> DescribedOperation:
    operation_id, method, path, *statuses = line.split()
    for short, long in _SHORTHAND.items():
        path = path.replace(short, long)
    return DescribedOperation(operation_id, method, "/v1" + path, tuple(map(int, statuses)))


# ID, method, path (in the shorthand above), success statuses.
_TABLE = """
FetchConfiguration GET /Configuration 200
UpdateConfiguration POST /Configuration 200
ListConfigurationAddress GET /Configuration/Addresses 200
CreateConfigurationAddress POST /Configuration/Addresses 201
FetchConfigurationAddress GET /Configuration/Addresses/{Sid} 200
UpdateConfigurationAddress POST /Configuration/Addresses/{Sid} 200
DeleteConfigurationAddress DELETE /Configuration/Addresses/{Sid} 204
FetchConfigurationWebhook GET /Configuration/Webhooks 200
UpdateConfigurationWebhook POST /Configuration/Webhooks 200
ListConversation GET /Conversations 200
CreateConversation POST /Conversations 201
FetchConversation GET /Conversations/{Sid} 200
UpdateConversation POST /Conversations/{Sid} 200
DeleteConversation DELETE /Conversations/{Sid} 204
ListConversationMessage GET <CH>/Messages 200
CreateConversationMessage POST <CH>/Messages 201
FetchConversationMessage GET <CH>/Messages/{Sid} 200
UpdateConversationMessage POST <CH>/Messages/{Sid} 200
DeleteConversationMessage DELETE <CH>/Messages/{Sid} 204
FetchConversationMessageReceipt GET <CH>/Messages/{MessageSid}/Receipts/{Sid} 200
ListConversationMessageReceipt GET <CH>/Messages/{MessageSid}/Receipts 200
ListConversationParticipant GET <CH>/Participants 200
CreateConversationParticipant POST <CH>/Participants 201
FetchConversationParticipant GET <CH>/Participants/{Sid} 200
UpdateConversationParticipant POST <CH>/Participants/{Sid} 200
DeleteConversationParticipant DELETE <CH>/Participants/{Sid} 204
ListConversationScopedWebhook GET <CH>/Webhooks 200
CreateConversationScopedWebhook POST <CH>/Webhooks 201
FetchConversationScopedWebhook GET <CH>/Webhooks/{Sid} 200
UpdateConversationScopedWebhook POST <CH>/Webhooks/{Sid} 200
DeleteConversationScopedWebhook DELETE <CH>/Webhooks/{Sid} 204
CreateConversationWithParticipants POST /ConversationWithParticipants 201 202
ListCredential GET /Credentials 200
CreateCredential POST /Credentials 201
FetchCredential GET /Credentials/{Sid} 200
UpdateCredential POST /Credentials/{Sid} 200
DeleteCredential DELETE /Credentials/{Sid} 204
ListParticipantConversation GET /ParticipantConversations 200
ListRole GET /Roles 200
CreateRole POST /Roles 201
FetchRole GET /Roles/{Sid} 200
UpdateRole POST /Roles/{Sid} 200
DeleteRole DELETE /Roles/{Sid} 204
ListService GET /Services 200
CreateService POST /Services 201
FetchService GET /Services/{Sid} 200
DeleteService DELETE /Services/{Sid} 204
FetchServiceBinding GET <IS>/Bindings/{Sid} 200
DeleteServiceBinding DELETE <IS>/Bindings/{Sid} 204
ListServiceBinding GET <IS>/Bindings 200
FetchServiceConfiguration GET <IS>/Configuration 200
UpdateServiceConfiguration POST <IS>/Configuration 200
ListServiceConversation GET <IS>/Conversations 200
CreateServiceConversation POST <IS>/Conversations 201
FetchServiceConversation GET <IS>/Conversations/{Sid} 200
UpdateServiceConversation POST <IS>/Conversations/{Sid} 200
DeleteServiceConversation DELETE <IS>/Conversations/{Sid} 204
ListServiceConversationMessage GET <IS><CH>/Messages 200
CreateServiceConversationMessage POST <IS><CH>/Messages 201
FetchServiceConversationMessage GET <IS><CH>/Messages/{Sid} 200
UpdateServiceConversationMessage POST <IS><CH>/Messages/{Sid} 200
DeleteServiceConversationMessage DELETE <IS><CH>/Messages/{Sid} 204
FetchServiceConversationMessageReceipt GET <IS><CH>/Messages/{MessageSid}/Receipts/{Sid} 200
ListServiceConversationMessageReceipt GET <IS><CH>/Messages/{MessageSid}/Receipts 200
ListServiceConversationParticipant GET <IS><CH>/Participants 200
CreateServiceConversationParticipant POST <IS><CH>/Participants 201
FetchServiceConversationParticipant GET <IS><CH>/Participants/{Sid} 200
UpdateServiceConversationParticipant POST <IS><CH>/Participants/{Sid} 200
DeleteServiceConversationParticipant DELETE <IS><CH>/Participants/{Sid} 204
ListServiceConversationScopedWebhook GET <IS><CH>/Webhooks 200
CreateServiceConversationScopedWebhook POST <IS><CH>/Webhooks 201
FetchServiceConversationScopedWebhook GET <IS><CH>/Webhooks/{Sid} 200
UpdateServiceConversationScopedWebhook POST <IS><CH>/Webhooks/{Sid} 200
DeleteServiceConversationScopedWebhook DELETE <IS><CH>/Webhooks/{Sid} 204
CreateServiceConversationWithParticipants POST <IS>/ConversationWithParticipants 201 202
FetchServiceNotification GET <IS>/Configuration/Notifications 200
UpdateServiceNotification POST <IS>/Configuration/Notifications 200
ListServiceParticipantConversation GET <IS>/ParticipantConversations 200
ListServiceRole GET <IS>/Roles 200
CreateServiceRole POST <IS>/Roles 201
FetchServiceRole GET <IS>/Roles/{Sid} 200
UpdateServiceRole POST <IS>/Roles/{Sid} 200
DeleteServiceRole DELETE <IS>/Roles/{Sid} 204
ListServiceUser GET <IS>/Users 200
CreateServiceUser POST <IS>/Users 201
FetchServiceUser GET <IS>/Users/{Sid} 200
UpdateServiceUser POST <IS>/Users/{Sid} 200
DeleteServiceUser DELETE <IS>/Users/{Sid} 204
FetchServiceUserConversation GET <IS><US><CH> 200
UpdateServiceUserConversation POST <IS><US><CH> 200
DeleteServiceUserConversation DELETE <IS><US><CH> 204
ListServiceUserConversation GET <IS><US>/Conversations 200
FetchServiceWebhookConfiguration GET <IS>/Configuration/Webhooks 200
UpdateServiceWebhookConfiguration POST <IS>/Configuration/Webhooks 200
ListUser GET /Users 200
CreateUser POST /Users 201
FetchUser GET /Users/{Sid} 200
UpdateUser POST /Users/{Sid} 200
DeleteUser DELETE /Users/{Sid} 204
FetchUserConversation GET <US><CH> 200
UpdateUserConversation POST <US><CH> 200
DeleteUserConversation DELETE <US><CH> 204
ListUserConversation GET <US>/Conversations 200
"""

OPERATIONS = tuple(_operation(line) for line in _TABLE.strip().splitlines())
BY_ID = {each.operation_id: each for each in OPERATIONS}
