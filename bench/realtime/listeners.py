"""A conversation with many listeners, made through REST, and the first frames of each."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import servers, workload
from bench.api_client import KeepAliveApi
from bench.realtime import frames
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from pathlib import Path

    from bench.api_client import Credentials
    from bench.processes import Process

MEMBERS_MAX = 1000
BODY = workload.BODY
MESSAGES_BEFORE = 5
PREPARED = 512


@dataclass(frozen=True, slots=True)
class ListenerConversation:
    """One conversation of a running Parlour, its members, and the key of their tokens."""

    process: Process
    credentials: Credentials
    key: frames.ServiceKey
    conversation_sid: str
    identities: list[str]
    user_sids: dict[str, str]

    def script(self, number: int) -> list[bytes]:
        """Return the SDK's frames at its start, for the connection with this number."""
        identity = self.identities[number % len(self.identities)]
        user_sid = self.user_sids[identity]
        mine = ObjectName(ObjectKind.MY_CONVERSATIONS, user_sid)
        info = ObjectName(ObjectKind.USER_INFO, user_sid)
        of_conversation = [
            ObjectName(kind, self.conversation_sid)
            for kind in (ObjectKind.CONVERSATION, ObjectKind.MESSAGES, ObjectKind.ROSTER)
        ]
        opened = [(mine, "Maps"), (info, "Maps")]
        opened += zip(of_conversation, ("Documents", "Lists", "Maps"), strict=True)
        control_requests = [
            ("/Client/v2/Configuration", {}),
            *((f"/v3/{folder}/{name.unique_name}", {}) for name, folder in opened),
        ]
        requests = [
            frames.request(at, "GET", path, params=params)
            for at, (path, params) in enumerate(control_requests)
        ]
        known = [(name.kind.type, name.sid) for name, _ in opened]
        begin = frames.init(self.key.token(identity), number)
        return [begin, *requests, frames.subscribe(len(control_requests), known)]

    def by_rest(self) -> list[bytes]:
        """Return requests that create a message, as the official Python library sends them."""
        path = f"/v1/Conversations/{self.conversation_sid}/Messages"
        return [
            workload.raw_request(self.credentials, "POST", path, {"Author": "system", "Body": BODY})
            for _ in range(PREPARED)
        ]

    def by_socket(self) -> list[bytes]:
        """Return frames with which a connected member creates a message."""
        path = f"/Client/v2/Conversations/{self.conversation_sid}/Messages"
        body = {"body": BODY, "attributes": "{}"}
        return [
            frames.request(100 + at, "POST", path, body, payload_type=frames.JSON_COMMAND)
            for at in range(PREPARED)
        ]


def serve(
    folder: Path, name: str, cores: frozenset[int]
) -> tuple[Process, Credentials, frames.ServiceKey]:
    """A running Parlour with an account and an API key."""
    credentials = servers.make_credentials()
    process = servers.parlour(folder, credentials, name)
    sid, secret = "SK" + secrets.token_hex(16), secrets.token_hex(16)
    process.environment |= {"PARLOUR_API_KEY_SID": sid, "PARLOUR_API_KEY_SECRET": secret}
    process.start(cores)
    with KeepAliveApi(process.port, credentials) as api:
        service_sid = api.get("/v1/Configuration")["default_chat_service_sid"]
    return (
        process,
        credentials,
        frames.ServiceKey(credentials.account_sid, sid, secret, service_sid),
    )


def fill(
    process: Process, credentials: Credentials, key: frames.ServiceKey, members: int
) -> ListenerConversation:
    """Make the conversation, its members and a few messages."""
    identities = [f"listener-{number:04d}" for number in range(members)]
    with KeepAliveApi(process.port, credentials) as api:
        sid = api.post("/v1/Conversations", FriendlyName="Everybody")["sid"]
        for identity in identities:
            api.post(f"/v1/Conversations/{sid}/Participants", Identity=identity)
        for _ in range(MESSAGES_BEFORE):
            api.post(f"/v1/Conversations/{sid}/Messages", Author="system", Body=BODY)
        users = {each: api.get(f"/v1/Users/{each}")["sid"] for each in identities}
    return ListenerConversation(process, credentials, key, sid, identities, users)


def raise_file_limit() -> None:
    """Raise the limit of open files of this process, and of those it starts."""
    import resource  # noqa: PLC0415 - it exists on Unix only.

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
