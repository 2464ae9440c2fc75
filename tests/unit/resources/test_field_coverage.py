"""Each field of a record or a form reaches every view and every way in, or is excluded in writing.

A view is called with two records that differ in one field: if its output is the same, the view does
not show the field. So a new field that a view lacks fails here until it is excluded.
"""

from __future__ import annotations

import json
import types
import typing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import pytest

from parlour.operations.call import View
from parlour.operations.parameters import wire_names
from parlour.protocol import json_parsers
from parlour.realtime import command_table
from parlour.resources.conversation_with_participants import (
    parameters as conversation_with_participants_parameters,
)
from parlour.resources.conversations import representation as conversation_representation
from parlour.resources.conversations.parameters import UpdateConversation
from parlour.resources.conversations.store import Conversation
from parlour.resources.messages import representation as message_representation
from parlour.resources.messages.parameters import SendMessage, UpdateMessage
from parlour.resources.messages.store import Message
from parlour.resources.participants import representation as participant_representation
from parlour.resources.participants.parameters import (
    CreateParticipant,
    UpdateParticipant,
)
from parlour.resources.participants.store import Participant
from parlour.resources.user_conversations.parameters import UpdateUserConversation
from parlour.resources.users import representation as user_representation
from parlour.resources.users.parameters import UpdateUser
from parlour.resources.users.store import User

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.operations.parameters import Parameters
    from parlour.protocol.webhook_parameters import WebhookParameter
    from parlour.realtime.bodies import Members

VIEW: Final = View("https://h.test/v1", "https://h.test/v1", shows_service=True)
MEDIA: Final = json.dumps([{"sid": "ME1", "size": 1, "content_type": "a/b", "filename": "f"}])
# Values that a view interprets; any other text is the name of its field, any other number is 1.
SAMPLES: Final = {
    "attributes": "{}",
    "binding_type": "email",
    "media": MEDIA,
    "receipts_total": 3,
    "date_created": 1_000_000,
    "date_updated": 2_000_000,
}

# Reasons for a hidden field.
SORT_KEY: Final = "a sort key of lists"
PAIRS: Final = "part of the reservation of an address pair"
COUNTER: Final = "a counter of the server"
DURATION: Final = "the date at which the timer expires is shown instead"
BACKGROUND: Final = "shown once the participants are added"
RENDERED: Final = "shown in the rendered content"
ORIGIN: Final = "stored with the message; webhooks get the origin of their event"
NOT_IN_REST: Final = "the API's description of the resource has no such member"
NOT_READ: Final = "client SDKs do not read it here"
IN_NAME: Final = "the name or key of the realtime object has it"
IN_ROSTER: Final = "the entry in the roster has it"
IN_REQUEST: Final = "each webhook request has it, from the event"
NO_PARAMETER: Final = "the hosted service's webhooks have no such parameter"
# Reasons for a parameter that a command does not accept.
NOT_SENT: Final = "client SDKs do not send it"
TOKEN_IDENTITY: Final = "the identity of the access token"


class RecordView(NamedTuple):
    """One view of a record: its function, and for each reason the fields that it does not show."""

    record: type[msgspec.Struct]
    show: Callable[[Any], object]
    hidden: dict[str, str]


def webhook(table: tuple[WebhookParameter, ...]) -> Callable[[msgspec.Struct], object]:
    """Return the view of a table of webhook parameters, over all phases."""

    def show(record: msgspec.Struct) -> object:
        members = msgspec.structs.asdict(record)
        return [each.write(members.get(each.member)) for each in table]

    return show


OF_PARTICIPANT: Final = {SORT_KEY: "sequence", PAIRS: "holds_pair is_open"}
OF_MESSAGE: Final = {RENDERED: "content_variables", ORIGIN: "source"}
OF_CONVERSATION: Final = {
    SORT_KEY: "sequence created_order last_activity",
    COUNTER: "next_message_index removed_messages",
    DURATION: "inactive_timer_seconds closed_timer_seconds",
    BACKGROUND: "pending_participants",
}
OF_USER: Final = {SORT_KEY: "sequence"}
VIEWS: Final = {
    "participant, REST": RecordView(
        Participant,
        lambda each: participant_representation.resource(each, VIEW),
        OF_PARTICIPANT | {NOT_IN_REST: "notification_level"},
    ),
    "participant, roster": RecordView(
        Participant,
        lambda each: participant_representation.realtime_item(each, None),
        OF_PARTICIPANT
        | {
            IN_NAME: "account_sid service_sid conversation_sid sid",
            NOT_READ: "proxy_address projected_address notification_level",
        },
    ),
    "participant, own conversation": RecordView(
        Participant,
        participant_representation.my_conversation_item,
        OF_PARTICIPANT
        | {
            IN_NAME: "account_sid service_sid identity",
            IN_ROSTER: "sid attributes role_sid binding_type address proxy_address"
            " projected_address binding_level binding_name last_read_timestamp"
            " date_created date_updated",
        },
    ),
    "participant, command": RecordView(
        Participant,
        participant_representation.client_resource,
        OF_PARTICIPANT | {NOT_READ: "notification_level"},
    ),
    "participant, webhooks": RecordView(
        Participant,
        webhook(participant_representation.WEBHOOK_PARAMETERS),
        OF_PARTICIPANT
        | {
            IN_REQUEST: "account_sid service_sid",
            NO_PARAMETER: "notification_level last_read_timestamp",
        },
    ),
    "message, REST": RecordView(
        Message,
        lambda each: message_representation.resource(each, VIEW),
        OF_MESSAGE | {NOT_IN_REST: "subject last_updated_by"},
    ),
    "message, list": RecordView(
        Message,
        message_representation.realtime_item,
        OF_MESSAGE | {IN_NAME: "account_sid service_sid conversation_sid message_index"},
    ),
    "message, command": RecordView(
        Message, message_representation.client_resource, OF_MESSAGE | {NOT_READ: "last_updated_by"}
    ),
    "message, webhooks": RecordView(
        Message,
        webhook(message_representation.WEBHOOK_PARAMETERS),
        OF_MESSAGE
        | {
            IN_REQUEST: "account_sid service_sid",
            NO_PARAMETER: "last_updated_by receipts_total receipts_sent receipts_delivered"
            " receipts_read receipts_failed receipts_undelivered",
        },
    ),
    "conversation, REST": RecordView(
        Conversation,
        lambda each: conversation_representation.resource(each, VIEW),
        OF_CONVERSATION | {NOT_IN_REST: "created_by"},
    ),
    "conversation, document": RecordView(
        Conversation,
        lambda each: conversation_representation.realtime_document(each, None),
        OF_CONVERSATION
        | {
            IN_NAME: "account_sid service_sid",
            NOT_READ: "messaging_service_sid date_inactive date_closed",
        },
    ),
    "conversation, command": RecordView(
        Conversation,
        lambda each: conversation_representation.client_resource(each, each.sid),
        OF_CONVERSATION
        | {NOT_READ: "messaging_service_sid date_inactive date_closed email_address email_name"},
    ),
    "conversation, webhooks": RecordView(
        Conversation,
        webhook(conversation_representation.WEBHOOK_PARAMETERS),
        OF_CONVERSATION
        | {
            IN_REQUEST: "account_sid service_sid",
            NO_PARAMETER: "date_inactive date_closed email_address email_name created_by",
        },
    ),
    "user, REST": RecordView(User, lambda each: user_representation.resource(each, VIEW), OF_USER),
    "user, map": RecordView(
        User,
        lambda each: user_representation.realtime_items(each, shows_reachability=True),
        OF_USER
        | {
            IN_NAME: "account_sid service_sid sid",
            NOT_READ: "identity role_sid date_created date_updated",
        },
    ),
    "user, command": RecordView(User, user_representation.client_resource, OF_USER),
    "user, webhooks": RecordView(
        User,
        webhook(user_representation.WEBHOOK_PARAMETERS),
        OF_USER | {IN_REQUEST: "account_sid service_sid"},
    ),
}


def values_of(name: str, hint: Any) -> tuple[Any, Any]:
    """Return two values of a field."""
    is_nullable = isinstance(hint, types.UnionType)
    (kind,) = (each for each in typing.get_args(hint) or (hint,) if each is not types.NoneType)
    value = SAMPLES.get(name, name if kind is str else 1)
    if is_nullable:
        return value, None
    return value, f"{value} " if kind is str else 0


def shown_fields(view: RecordView) -> set[str]:
    """Return the fields whose change changes the view of a record, all of whose fields are set.

    A participant with an identity is shown as a chat participant, so one without is compared too.
    """
    values = {
        name: values_of(name, hint) for name, hint in typing.get_type_hints(view.record).items()
    }
    full = view.record(**{name: value for name, (value, _) in values.items()})
    bases = [full]
    if view.record is Participant:
        bases.append(msgspec.structs.replace(full, identity=None))
    return {
        name
        for base in bases
        for name, (_, other) in values.items()
        if view.show(base) != view.show(msgspec.structs.replace(base, **{name: other}))
    }


@pytest.mark.parametrize("name", VIEWS)
def test_each_field_of_a_record_changes_its_view_or_is_hidden_with_a_reason(name: str) -> None:
    view = VIEWS[name]
    hidden = {field for fields in view.hidden.values() for field in fields.split()}
    assert set(view.record.__struct_fields__) - shown_fields(view) == hidden


def names_of(parameters: type[Parameters]) -> set[str]:
    return {name for name, _, _ in wire_names(parameters)}


def test_a_batch_create_accepts_every_parameter_of_a_new_participant() -> None:
    top = conversation_with_participants_parameters._NAMES
    binding = conversation_with_participants_parameters._BINDING_NAMES
    assert {*top.values(), *binding.values()} == names_of(CreateParticipant)
    assert {*top, "messaging_binding"} == set(json_parsers.ParticipantJson.__annotations__)
    assert set(binding) == set(json_parsers.ParticipantBinding.__annotations__)


class CommandBody(NamedTuple):
    """The members of a command, and the parameters that clients cannot send, with reasons."""

    members: Members
    body: dict[str, object]
    parameters: type[Parameters]
    refused: dict[str, str]


BINDING: Final = {"address": "+15550001", "proxy_address": "+15550002", "level": "to", "name": "A"}
COMMANDS: Final = {
    "new participant": CommandBody(
        command_table._NEW_PARTICIPANT,
        {"identity": "ann", "attributes": {}, "messaging_binding": BINDING},
        CreateParticipant,
        {
            "DateCreated": NOT_SENT,
            "DateUpdated": NOT_SENT,
            "MessagingBinding.ProjectedAddress": NOT_SENT,
            "MessagingBinding.Type": "the address decides it",
            "RoleSid": NOT_SENT,
        },
    ),
    "participant": CommandBody(
        command_table._PARTICIPANT,
        {"attributes": {}},
        UpdateParticipant,
        {
            "DateCreated": NOT_SENT,
            "DateUpdated": NOT_SENT,
            "Identity": NOT_SENT,
            "LastReadMessageIndex": "a command on the user's own conversation sets it",
            "LastReadTimestamp": NOT_SENT,
            "MessagingBinding.ProjectedAddress": NOT_SENT,
            "MessagingBinding.ProxyAddress": NOT_SENT,
            "RoleSid": NOT_SENT,
        },
    ),
    "own participant": CommandBody(
        command_table._OWN_PARTICIPANT,
        {"notification_level": "muted", "last_read_message_index": 1},
        UpdateUserConversation,
        {"LastReadTimestamp": NOT_SENT},
    ),
    "conversation": CommandBody(
        command_table._CONVERSATION,
        {"friendly_name": "A", "unique_name": "a", "attributes": {}},
        UpdateConversation,
        {
            "Bindings.Email.Address": NOT_SENT,
            "Bindings.Email.Name": NOT_SENT,
            "DateCreated": NOT_SENT,
            "DateUpdated": NOT_SENT,
            "MessagingServiceSid": NOT_SENT,
            "State": NOT_SENT,
            "Timers.Closed": NOT_SENT,
            "Timers.Inactive": NOT_SENT,
        },
    ),
    "new message": CommandBody(
        command_table._NEW_MESSAGE,
        {
            "body": "hello",
            "subject": "A",
            "attributes": {},
            "media_sids": ["ME1"],
            "content_sid": "HX1",
            "content_variables": {},
        },
        SendMessage,
        {
            "Author": TOKEN_IDENTITY,
            "DateCreated": NOT_SENT,
            "DateUpdated": NOT_SENT,
            "MediaSid": "a message may have several media: MediaSids",
        },
    ),
    "message": CommandBody(
        command_table._MESSAGE,
        {"body": "hello", "attributes": {}},
        UpdateMessage,
        {
            "Author": NOT_SENT,
            "DateCreated": NOT_SENT,
            "DateUpdated": NOT_SENT,
            "Subject": NOT_SENT,
        },
    ),
    "user": CommandBody(
        command_table._USER,
        {"friendly_name": "Ann", "attributes": {}},
        UpdateUser,
        {"RoleSid": NOT_SENT},
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_accepts_each_parameter_or_excludes_it_with_a_reason(
    name: str,
) -> None:
    command = COMMANDS[name]
    assert set(command.body) == set(command.members._readers), "the body has every member"
    accepted = set(command.members.read(json.dumps(command.body).encode()))
    assert names_of(command.parameters) - accepted == set(command.refused)
