"""The requests of the benchmark: the filled store's names, and requests prepared from them.

The requests carry the headers that the official Python SDK sends, and the same bytes go to Parlour
and to the baselines. Two successive requests that change one participant always differ, also where
the prepared requests start over: otherwise a server that skips a change without effect would be
measured for doing nothing.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.api_client import Credentials, KeepAliveApi

CONVERSATIONS = 20
PARTICIPANTS_EACH = 25
MESSAGES_EACH = 50
# No conversation of any filled store has fewer: so many message indexes can be read.
MESSAGES_EACH_MIN = 3
PREPARED = 10_000
PAGE_SIZE = 50
SEED = 20_260_105
# With this text the response has the size of the design's measurements, 673 bytes.
NOTE = "Carries the spare key; waits at the second gate."
BODY = "The driver is at the door, the second parcel follows in the afternoon. Please ring twice."


@dataclass(frozen=True, slots=True)
class Names:
    """The names that requests may use: conversations, and pairs of conversation and participant."""

    conversations: list[str]
    participants: list[tuple[str, str]]
    identities: dict[str, list[str]]
    role_sid: str


@dataclass(frozen=True, slots=True)
class PreparedOperation:
    """One operation of the API, the status of its response, and its prepared requests."""

    name: str
    status: int
    requests: list[bytes]


def fill(api: KeepAliveApi) -> Names:
    """Make 20 conversations, 500 participants and 1,000 messages through the REST API."""
    names = Names([], [], {}, _participant_role(api))
    for number in range(CONVERSATIONS):
        made = api.post("/v1/Conversations", FriendlyName=f"Order {4711 + number}")
        _fill_conversation(api, names, made["sid"], number)
    return names


def _participant_role(api: KeepAliveApi) -> str:
    """Return the sid of a role for conversations that every service has from the start."""
    for role in api.get("/v1/Roles")["roles"]:
        if role["type"] == "conversation":
            sid: str = role["sid"]
            return sid
    raise LookupError("the service has no role for conversations")


def _fill_conversation(api: KeepAliveApi, names: Names, conversation_sid: str, number: int) -> None:
    path = f"/v1/Conversations/{conversation_sid}"
    identities = [f"user{number}-{seat}@example.com" for seat in range(PARTICIPANTS_EACH)]
    names.conversations.append(conversation_sid)
    names.identities[conversation_sid] = identities
    for identity in identities:
        made = api.post(f"{path}/Participants", Identity=identity)
        names.participants.append((conversation_sid, made["sid"]))
    for index in range(MESSAGES_EACH):
        author = identities[index % PARTICIPANTS_EACH]
        api.post(f"{path}/Messages", Author=author, Body=f"{index} {BODY}")


def raw_request(
    credentials: Credentials, method: str, path: str, form: dict[str, object] | None = None
) -> bytes:
    """Return one request as bytes, with the headers of the official Python SDK."""
    body = urlencode(form).encode() if form is not None else b""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: twilio-python/9.13.0 (Linux x86_64) Python/3.11.7",
        "Accept-Encoding: gzip, deflate",
        "Accept: application/json",
        "Connection: keep-alive",
        "X-Twilio-Client: python-9.13.0",
        "Accept-Charset: utf-8",
        f"Authorization: {credentials.authorization}",
    ]
    if form is not None:
        lines.append("X-Twilio-Webhook-Enabled: true")
        lines.append("Content-Type: application/x-www-form-urlencoded")
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def update_participant(credentials: Credentials, names: Names) -> PreparedOperation:
    """Update five form fields, one of them JSON; every participant in turn, with new texts."""
    # Each of them at least twice, so that the second visit has something to change.
    participants = names.participants[: PREPARED // 2]

    def prepare(number: int, _: random.Random) -> bytes:
        conversation_sid, sid = participants[number % len(participants)]
        visit = number // len(participants)
        attributes = {"role": "driver", "seat": f"{number % 60}A", "visit": visit, "note": NOTE}
        form: dict[str, object] = {
            "Attributes": json.dumps(attributes),
            "RoleSid": names.role_sid,
            "DateUpdated": "2023-05-04T09:42:00+00:00" if visit % 2 else "2025-05-04T09:42:00Z",
            "LastReadMessageIndex": visit % MESSAGES_EACH_MIN,
            "LastReadTimestamp": f"2025-05-04T09:42:{visit % 60:02d}Z",
        }
        path = f"/v1/Conversations/{conversation_sid}/Participants/{sid}"
        return raw_request(credentials, "POST", path, form)

    return PreparedOperation("update participant", 200, _prepared(prepare))


def create_message(credentials: Credentials, names: Names) -> PreparedOperation:
    """Send a text by one of the participants, into every conversation in turn."""

    def prepare(number: int, chance: random.Random) -> bytes:
        conversation_sid = names.conversations[number % len(names.conversations)]
        form: dict[str, object] = {
            "Author": chance.choice(names.identities[conversation_sid]),
            "Body": f"{number} {BODY}",
            "Attributes": f'{{"importance": "high", "number": {number}}}',
        }
        return raw_request(
            credentials, "POST", f"/v1/Conversations/{conversation_sid}/Messages", form
        )

    return PreparedOperation("create message", 201, _prepared(prepare))


def fetch_participant(credentials: Credentials, names: Names) -> PreparedOperation:
    """Fetch one participant by sid, chosen at random."""

    def prepare(_: int, chance: random.Random) -> bytes:
        conversation_sid, sid = chance.choice(names.participants)
        path = f"/v1/Conversations/{conversation_sid}/Participants/{sid}"
        return raw_request(credentials, "GET", path)

    return PreparedOperation("fetch by sid", 200, _prepared(prepare))


def list_messages(credentials: Credentials, names: Names) -> PreparedOperation:
    """Fetch the first page of 50 messages of a conversation chosen at random."""

    def prepare(_: int, chance: random.Random) -> bytes:
        conversation_sid = chance.choice(names.conversations)
        path = f"/v1/Conversations/{conversation_sid}/Messages?PageSize={PAGE_SIZE}"
        return raw_request(credentials, "GET", path)

    return PreparedOperation("list of 50", 200, _prepared(prepare))


def _prepared(prepare: Callable[[int, random.Random], bytes]) -> list[bytes]:
    """Return prepared requests: the same at every run, so that two runs can be compared."""
    chance = random.Random(SEED)
    return [prepare(number, chance) for number in range(PREPARED)]
