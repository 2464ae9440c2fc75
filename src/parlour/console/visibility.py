"""What a session without bodies may call, and which members of responses it does not see.

An operator with the role ``view`` has such a session, and with ``--console-bodies no`` every
operator. It is denied all operations that are not listed here, so that a new operation shows
nothing by accident. Operations of both URL forms are listed by the shorter name. Members are hidden
by name at any depth: their value is null, as of a member that is empty.

URLs of webhooks may have a token in their user information or their query. Neither is shown to an
operator who may not change anything; an admin has to see the URLs that it changes.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.http.messages import BodyStream, Response
from parlour.operations.caller import VIEW
from parlour.resources.webhook_attempts.representation import without_query
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

ROLE_WITHOUT_BODIES: Final = VIEW

HIDDEN_MEMBERS: Final = frozenset(
    {
        # Messages, of conversations and of virtual phones.
        "body",
        "subject",
        "media",
        "filename",
        "attributes",
        "conversation_attributes",
        # Data that a channel has delivered with a message.
        "data",
        # Requests, events and webhooks.
        "form",
        "answer",
        "parameters",
        "body_start",
        "signed_string",
        "signature",
        # Content templates.
        "types",
        "variables",
        "variants",
        # Secrets, and what opens media without a login.
        "auth_token",
        "secret",
        "api_key_secret",
        "token",
        "idempotency_key",
        "idempotency_token",
        "content_direct_temporary",
    }
)

_ALL: Final = ("List", "Create", "Fetch", "Update", "Delete")
_SHOWN_VERBS: Final[dict[str, tuple[str, ...]]] = {
    "Account": ("Fetch",),
    "Activity": ("List", "Fetch"),
    "Clock": ("Fetch", "Update"),
    "ClockAdvance": ("Create",),
    "Configuration": ("Fetch", "Update"),
    "ConfigurationAddress": _ALL,
    "ConfigurationWebhook": ("Fetch", "Update"),
    "Connection": ("List", "Delete"),
    "Content": ("List", "Create", "Fetch", "Delete"),
    "ContentAndApproval": ("List",),
    "ContentApproval": ("Fetch",),
    "ContentApprovalRequest": ("Create",),
    "ContentTemplate": _ALL,
    "Conversation": _ALL,
    "ConversationSummary": ("List",),
    "ConversationMessage": _ALL,
    "ConversationMessageChannelMetadata": ("Fetch",),
    "ConversationMessageReceipt": ("List", "Fetch"),
    "ConversationParticipant": _ALL,
    "ConversationScopedWebhook": _ALL,
    "ConversationWithParticipants": ("Create",),
    "Credential": _ALL,
    "Emulation": ("Fetch", "Update"),
    "Event": ("List",),
    "Fault": ("List", "Create", "Fetch", "Delete"),
    "Faults": ("Delete",),
    "Key": ("List", "Fetch", "Update", "Delete"),
    "OpenApi": ("Fetch",),
    "OperatorAccount": ("List", "Fetch", "Update"),
    "OperatorAudit": ("List",),
    "OperatorHealth": ("Fetch",),
    "OperatorMedia": ("Fetch",),
    "OperatorQueues": ("Fetch",),
    "OperatorSession": ("List", "Delete"),
    "OperatorSettings": ("Fetch",),
    "ParticipantConversation": ("List",),
    "Request": ("List", "Fetch"),
    "Reset": ("Create",),
    "Role": _ALL,
    "SeedSchema": ("Fetch",),
    "Server": ("Fetch",),
    "Service": ("List", "Create", "Fetch", "Delete"),
    "ServiceBinding": ("List", "Fetch", "Delete"),
    "ServiceConfiguration": ("Fetch", "Update"),
    "ServiceNotification": ("Fetch", "Update"),
    "ServiceWebhookConfiguration": ("Fetch", "Update"),
    "Settlement": ("Create",),
    "Snapshot": ("Create", "List", "Delete"),
    "SnapshotRestore": ("Create",),
    "TestAccount": ("List", "Fetch", "Delete"),
    "Trigger": ("Create",),
    "User": _ALL,
    "UserConversation": ("List", "Fetch", "Update", "Delete"),
    "VirtualPhone": _ALL,
    "VirtualPhoneMessage": ("List", "Update"),
    "WebhookAttempt": ("List", "Fetch"),
    "WebhookAttemptReplay": ("Create",),
    "WebhookEndpoint": ("List",),
    "WebhookEndpointRetry": ("Create",),
    "WebhookReplay": ("Create",),
    "WebhookRetries": ("Fetch", "Update"),
    "WebhookSample": ("Create",),
}
SHOWN: Final = frozenset(
    verb + prefix + noun
    for noun, verbs in _SHOWN_VERBS.items()
    for verb in verbs
    for prefix in ("", "Service")
)
"""Operations that a session without bodies may call, as far as its role may change."""
HIDDEN: Final = frozenset(
    {
        # Bytes of media, and URLs that open them.
        "CreateMedia",
        "FetchMedia",
        "FetchMediaContent",
        "FetchMediaSet",
        "FetchVirtualPhoneMedium",
        # They return a secret, with which everything could be read.
        "CreateKey",
        "CreateOperatorAccount",
        "CreateOperatorAccountKey",
        "CreateTestAccount",
        "CreateToken",
        # They return or sign texts of the caller's choice.
        "CreateSeed",
        "CreateSeedCheck",
        "CreateVirtualPhoneMessage",
        "CreateTokenCheck",
        "CreateWebhookSignature",
        "FetchSeed",
    }
)
"""Operations that it may not call; as all that are in neither set."""

_WITHOUT_BODIES: Final = frozenset(
    {
        # They describe the API: the names of members are the content, and no account's.
        "FetchOpenApi",
        "FetchSeedSchema",
        # The media of an account are a count here.
        "ListOperatorAccount",
        "FetchOperatorAccount",
        "UpdateOperatorAccount",
    }
)
"""Operations whose responses have no bodies, although members have such names."""
_REFUSAL: Final = "This session shows no bodies, and the operation returns little else."
_ERROR_STATUS_MIN: Final = 400
_DATA: Final = b"data: "
_META: Final = "meta"
_URL: Final = "url"
"""The end of the names of members with URLs."""
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


def check(operation_id: str | None) -> None:
    """Raise 403 for an operation that is not shown; a path without one has its own error."""
    if operation_id is not None and operation_id not in SHOWN:
        raise ApiError(20403, _REFUSAL)


def redacted(operation_id: str, response: Response, *, hides_queries: bool) -> Response:
    """Return the response of an operation without the hidden members, and the queries of URLs."""
    if operation_id in _WITHOUT_BODIES and response.status < _ERROR_STATUS_MIN:
        return response
    redaction = _Redaction(hides_queries=hides_queries)
    stream = response.stream
    if stream is not None:
        # The only stream that is shown has events.
        stream = BodyStream(stream.length, _redacted_events(stream.pieces, redaction), stream.close)
        return msgspec.structs.replace(response, stream=stream)
    if not response.body:
        return response
    return msgspec.structs.replace(response, body=redaction.of_json(response.body))


async def _redacted_events(
    pieces: AsyncGenerator[bytes, None], redaction: _Redaction
) -> AsyncGenerator[bytes, None]:
    """Yield the parts of an event stream; each part has whole lines."""
    async with aclosing(pieces):
        async for piece in pieces:
            yield b"\n".join(map(redaction.of_line, piece.split(b"\n")))


class _Redaction:
    """Removes the hidden parts from the JSON of one response."""

    def __init__(self, *, hides_queries: bool) -> None:
        self._hides_queries = hides_queries

    def of_json(self, text: bytes) -> bytes:
        return _encode(self._of(_decode(text)))

    def of_line(self, line: bytes) -> bytes:
        return _DATA + self.of_json(line[len(_DATA) :]) if line.startswith(_DATA) else line

    def _of(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._of_member(name, member) for name, member in value.items()}
        if isinstance(value, list):
            return [self._of(each) for each in value]
        return value

    def _of_member(self, name: str, value: Any) -> Any:
        if name in HIDDEN_MEMBERS:
            return None
        if isinstance(value, str):
            is_url = self._hides_queries and name.endswith(_URL)
            return without_query(value) if is_url else value
        # Links of the server itself: pages of a list are found by their queries.
        return value if name == _META else self._of(value)
