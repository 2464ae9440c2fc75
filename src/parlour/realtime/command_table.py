"""The command table: request, operation and representation of each client command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from parlour.realtime.bodies import (
    Members,
    json_text,
    messaging_binding,
    nested,
    number_or_null,
    text,
    texts,
)
from parlour.realtime.configuration import client_configuration
from parlour.resources.channel_metadata.representation import client_resource as channel_metadata
from parlour.resources.client_table import client_operations
from parlour.resources.content_templates.representation import client_resource as template
from parlour.resources.messages.representation import client_resource as message
from parlour.resources.participants.representation import client_resource as participant
from parlour.resources.push_bindings.representation import client_registration
from parlour.resources.receipts.representation import client_recipients
from parlour.resources.receipts.representation import client_resource as receipt
from parlour.resources.user_conversations.representation import client_conversation
from parlour.resources.user_conversations.representation import client_resource as own_conversation
from parlour.resources.users.representation import client_resource as user
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.operations.operation import Operation
    from parlour.protocol.access_tokens import AccessToken
    from parlour.protocol.forms import FormFields
    from parlour.realtime.session import Session

Represent = Callable[[Any, "Session"], Any]


_NO_MEMBERS: Final = Members({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: a method, a path whose ``{Names}`` are variables, and what it runs.

    ``members`` are the members of its body that are read. ``represent`` represents the result, or
    each row of a list. ``token_fields`` are parameters from the access token. With
    ``publishes_typing`` a typing indicator is published after the operation.
    """

    method: str
    path: tuple[str, ...]
    operation: Operation
    members: Members = _NO_MEMBERS
    represent: Represent | None = None
    token_fields: Callable[[AccessToken], FormFields] | None = None
    reads_form: bool = False
    publishes_typing: bool = False

    def variables_of(self, segments: list[str]) -> dict[str, str] | None:
        """Return the values of the path's variables; None if the path does not match."""
        if len(segments) != len(self.path):
            return None
        found = {}
        for pattern, segment in zip(self.path, segments, strict=True):
            if pattern[0] == "{":
                found[pattern[1:-1]] = segment
            elif pattern != segment:
                return None
        return found


def _represent_with(represent: Callable[[Any], Any]) -> Represent:
    return lambda result, _session: represent(result)


def _command(method: str, path: str, operation_id: str, **more: Any) -> Command:
    return Command(
        method=method,
        path=tuple(path.split("/")),
        operation=client_operations()[operation_id],
        **more,
    )


def _token_fields(token: AccessToken) -> FormFields:
    form: FormFields = {}
    if token.push_credential_sid is not None:
        form["CredentialSid"] = [token.push_credential_sid]
    if token.endpoint_id is not None:
        form["Endpoint"] = [token.endpoint_id]
    return form


def _typing_response(_participant: object, _session: Session) -> dict[str, int]:
    return {"typing_timeout": limits.TYPING_SECONDS}


_CONVERSATION: Final = Members(
    {
        "friendly_name": text("FriendlyName"),
        "unique_name": text("UniqueName"),
        "attributes": json_text("Attributes"),
    }
)
_OWN_PARTICIPANT: Final = Members(
    {
        "notification_level": text("NotificationLevel"),
        "last_read_message_index": number_or_null("LastReadMessageIndex"),
    }
)
_NEW_PARTICIPANT: Final = Members(
    {
        "identity": text("Identity"),
        "attributes": json_text("Attributes"),
        "messaging_binding": messaging_binding,
    }
)
_PARTICIPANT: Final = Members({"attributes": json_text("Attributes")})
_NEW_MESSAGE: Final = Members(
    {
        "body": text("Body"),
        "subject": text("Subject"),
        "attributes": json_text("Attributes"),
        "media_sids": texts("MediaSids", limits.MEDIA_PER_MESSAGE_MAX),
        "content_sid": text("ContentSid"),
        "content_variables": json_text("ContentVariables"),
    }
)
_MESSAGE: Final = Members({"body": text("Body"), "attributes": json_text("Attributes")})
_USER: Final = Members(
    {"friendly_name": text("FriendlyName"), "attributes": json_text("Attributes")}
)
_REGISTRATION: Final = Members(
    {
        "channel_type": text("ChannelType"),
        "message_types": texts("MessageTypes", limits.MESSAGE_TYPES_MAX),
        "data": nested({"registration_id": text("Address")}, "data"),
    }
)
_DEVICE: Final = Members({"binding_type": text("BindingType"), "address": text("Address")})

_CH: Final = "Conversations/{ConversationSid}"
_IM: Final = f"{_CH}/Messages/{{Sid}}"

CLIENT: Final = (
    _command("GET", "Configuration", "FetchServiceConfiguration", represent=client_configuration),
    _command(
        "GET",
        "MyConversations",
        "ListServiceUserConversation",
        represent=_represent_with(own_conversation),
    ),
    _command(
        "GET",
        "MyConversations/{ConversationSid}",
        "FetchClientPlace",
        represent=_represent_with(client_conversation),
    ),
    _command(
        "POST",
        "MyConversations/{ConversationSid}",
        "UpdateClientPlace",
        members=_OWN_PARTICIPANT,
        represent=_represent_with(client_conversation),
    ),
    _command(
        "POST",
        "Conversations",
        "CreateClientConversation",
        members=_CONVERSATION,
        represent=_represent_with(client_conversation),
    ),
    _command("GET", _CH, "FetchClientPlace", represent=_represent_with(client_conversation)),
    _command(
        "POST",
        "Conversations/{Sid}",
        "UpdateClientConversation",
        members=_CONVERSATION,
        represent=_represent_with(client_conversation),
    ),
    _command("DELETE", "Conversations/{Sid}", "DeleteServiceConversation"),
    _command(
        "POST",
        f"{_CH}/Participants",
        "CreateClientParticipant",
        members=_NEW_PARTICIPANT,
        represent=_represent_with(participant),
    ),
    _command(
        "POST",
        f"{_CH}/Participants/{{Sid}}",
        "UpdateServiceConversationParticipant",
        members=_PARTICIPANT,
        represent=_represent_with(participant),
    ),
    _command("DELETE", f"{_CH}/Participants/{{Sid}}", "DeleteServiceConversationParticipant"),
    _command(
        "POST",
        f"{_CH}/Messages",
        "CreateClientMessage",
        members=_NEW_MESSAGE,
        represent=_represent_with(message),
    ),
    _command(
        "POST",
        _IM,
        "UpdateServiceConversationMessage",
        members=_MESSAGE,
        represent=_represent_with(message),
    ),
    _command("DELETE", _IM, "DeleteServiceConversationMessage"),
    _command(
        "GET",
        f"{_CH}/Messages/{{MessageSid}}/Receipts",
        "ListServiceConversationMessageReceipt",
        represent=_represent_with(receipt),
    ),
    _command(
        "GET",
        f"{_CH}/Messages/{{MessageSid}}/ChannelMetadata",
        "FetchServiceConversationMessageChannelMetadata",
        represent=_represent_with(channel_metadata),
    ),
    _command(
        "GET",
        f"{_CH}/MessageRecipients",
        "ListClientMessageRecipient",
        represent=_represent_with(client_recipients),
    ),
    _command("GET", "Users/{Sid}", "FetchServiceUser", represent=_represent_with(user)),
    _command(
        "POST", "Users/{Sid}", "UpdateServiceUser", members=_USER, represent=_represent_with(user)
    ),
    _command(
        "POST",
        "Typing",
        "FetchClientParticipant",
        reads_form=True,
        represent=_typing_response,
        publishes_typing=True,
    ),
    _command(
        "GET", "ContentTemplates", "ListClientContentTemplate", represent=_represent_with(template)
    ),
)
"""Everything below ``/Client/v2``."""

REGISTRATIONS: Final = (
    _command(
        "POST",
        "registrations",
        "CreateClientRegistration",
        members=_REGISTRATION,
        token_fields=_token_fields,
        represent=_represent_with(client_registration),
    ),
    _command("DELETE", "registrations/{Sid}", "DeleteClientRegistration"),
    _command("DELETE", "registrations", "ForgetClientRegistration", members=_DEVICE),
)
"""Push registrations, below ``/v1``."""
