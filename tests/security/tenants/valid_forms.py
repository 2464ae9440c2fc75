"""A valid form for each operation; names that must be unique are generated per request.

The matrix does not know a class of parameters that is not in these tables, and fails.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from parlour.operations.parameters import NoParameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.operations.operation import Operation

Form = Mapping[str, str | list[str]]

_count = itertools.count(1)

FRESH_NAME = re.compile(r"fresh-\d{6}|\+1555777\d{4}")

LONG_AGO = "2020-01-01T00:00:00Z"
# No server listens there; a name would need a lookup.
URL = "http://127.0.0.1:9/parlour"
ALICE = "alice"
PHONES = ("+15005550101", "+15005550102")


def fresh_name() -> str:
    """Return an unused name."""
    return f"fresh-{next(_count):06}"


def fresh_number() -> str:
    """Return an unused number."""
    return f"+1555777{next(_count) % 10_000:04}"


def participant(**members: str) -> str:
    """Return a participant as JSON, for a conversation that is created together with it."""
    return json.dumps({"identity": fresh_name(), **members})


WRITES: dict[str, Callable[[], Form]] = {
    "UpdateConfiguration": lambda: {"DefaultInactiveTimer": "PT1H"},
    "CreateAddressConfiguration": lambda: {"Type": "sms", "Address": fresh_number()},
    "UpdateAddressConfiguration": lambda: {"FriendlyName": "Changed"},
    "UpdateWebhookConfiguration": lambda: {"PostWebhookUrl": URL, "Filters": ["onMessageAdded"]},
    "CreateCredential": lambda: {"Type": "fcm", "Secret": fresh_name()},
    "UpdateCredential": lambda: {"FriendlyName": "Changed"},
    "ChangeKey": lambda: {"FriendlyName": "Changed"},
    "CreateRole": lambda: {
        "FriendlyName": "Made",
        "Type": "conversation",
        "Permission": ["sendMessage"],
    },
    "UpdateRole": lambda: {"Permission": ["sendMessage", "leaveConversation"]},
    "UpdateServiceConfiguration": lambda: {"ReachabilityEnabled": "false"},
    "UpdateServiceNotification": lambda: {"LogEnabled": "true"},
    "UpdateWebhookRetries": lambda: {"Retries": "hosted"},
    "UpdateWebhooks": lambda: {"PostWebhookUrl": URL, "Filters": ["onMessageAdded"]},
    "CreateService": lambda: {"FriendlyName": "Made"},
    "CreateConversation": lambda: {"UniqueName": fresh_name(), "FriendlyName": "Made"},
    "UpdateConversation": lambda: {"FriendlyName": "Changed", "UniqueName": fresh_name()},
    "CreateParticipant": lambda: {"Identity": fresh_name()},
    "UpdateParticipant": lambda: {"Attributes": '{"changed":true}', "LastReadMessageIndex": "0"},
    "CreateMessage": lambda: {"Body": "Made", "Author": ALICE},
    "UpdateMessage": lambda: {"Body": "Changed", "Author": ALICE},
    "CreateScopedWebhook": lambda: {
        "Target": "webhook",
        "Configuration.Url": URL,
        "Configuration.Filters": ["onMessageAdded"],
    },
    "UpdateScopedWebhook": lambda: {"Configuration.Url": f"{URL}/changed"},
    "CreateConversationWithParticipants": lambda: {
        "UniqueName": fresh_name(),
        "Participant": [participant()],
    },
    "CreateContentTemplate": lambda: {"FriendlyName": fresh_name(), "Body": "Hello {{1}}"},
    "UpdateContentTemplate": lambda: {"ApprovalStatus": "approved"},
    "CreateContent": lambda: {"language": "en", "types": '{"twilio/text":{"body":"Hello"}}'},
    "RequestApproval": lambda: {"name": "greeting", "category": "UTILITY"},
    "CreateToken": lambda: {"Identity": fresh_name()},
    "CreateTokenCheck": lambda: {"Token": "a.b.c"},
    "CreateVirtualPhone": lambda: {"Address": fresh_number(), "Name": "Made"},
    "CreateVirtualPhoneMessage": lambda: {"To": fresh_number(), "Body": "Made"},
    "UpdateVirtualPhone": lambda: {"Behaviour": "off", "Name": "Changed"},
    "UpdateVirtualPhoneMessage": lambda: {"Status": "read"},
    "CreateUser": lambda: {"Identity": fresh_name()},
    "UpdateUser": lambda: {"FriendlyName": "Changed"},
    "CreateWebhookSample": lambda: {"EventType": "onMessageAdded", "Url": URL},
    "CreateWebhookSignature": lambda: {"Url": URL, "Parameters": '{"Body":"Hi"}'},
    "RetryWebhookEndpoint": lambda: {"Url": URL},
    "ReplayWebhookAttempts": lambda: {"Since": LONG_AGO},
    "UpdateUserConversation": lambda: {"NotificationLevel": "muted", "LastReadMessageIndex": "0"},
}

# Each list is requested in each of these ways.
LISTS: dict[str, tuple[Form, ...]] = {
    "ListAddressConfigurations": ({}, {"Type": "sms"}),
    "ListPushBindings": ({}, {"Identity": [ALICE]}, {"BindingType": ["fcm"]}),
    "ListConversations": (
        {},
        {"State": "active"},
        {"StartDate": LONG_AGO},
        {"EndDate": "2099-01-01T00:00:00Z"},
    ),
    "FetchOpenApi": ({}, {"Operation": "CreateUser"}),
    "ListConversationSummaries": ({}, {"State": "active"}, {"StartDate": LONG_AGO}),
    "ListWebhookAttempts": (
        {},
        {"EventType": "onMessageAdded"},
        {"Outcome": "failed"},
        {"Url": URL},
    ),
    "ListEvents": (
        {},
        {"EventType": ["onMessageAdded"]},
        {"Source": "API"},
        {"After": "start"},
        {"Since": LONG_AGO},
    ),
    "ListConnections": ({}, {"Identity": ALICE}),
    "ListRequests": ({}, {"Operation": "CreateConversation"}, {"Source": "rest", "Status": "200"}),
    "ListVirtualPhones": ({}, {"Channel": "whatsapp"}),
    "ListVirtualPhoneMessages": ({}, {"Direction": "received", "After": LONG_AGO}),
    "ListMessages": ({}, {"Order": "desc"}),
    "ListParticipantConversations": ({"Identity": ALICE}, {"Address": PHONES[0]}),
}


def form_of(operation: Operation) -> Form:
    """Return a valid form of an operation that changes something. KeyError: not known."""
    parameters = operation.spec.parameters
    return {} if parameters is NoParameters else WRITES[parameters.__name__]()


def queries_of(operation: Operation) -> tuple[Form, ...]:
    """Return the variants of a read request. KeyError: not known."""
    parameters = operation.spec.parameters
    return ({},) if parameters is NoParameters else LISTS[parameters.__name__]
