"""The work of *update participant* without framework or store, shared by the baselines.

It does what any server of this API must do for that request: check Basic credentials, read and
parse the form, validate ``Attributes`` as JSON, and encode the participant. It is as lean as
possible, so that a ratio to it is never flattered: Falcon's compiled parser of forms takes a tenth
of the time of the standard library's, which alone would cost as much as all of uvicorn.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
from falcon.uri import parse_query_string

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

ACCOUNT_SID = os.environ.get("BENCH_ACCOUNT_SID", "AC" + "0" * 31 + "1")
AUTH_TOKEN = os.environ.get("BENCH_AUTH_TOKEN", "")
BASE_URL = "http://127.0.0.1:8080/v1"
FORM_BYTES_MAX = 1 << 20


class ParticipantRecord(msgspec.Struct):
    """A participant as the API represents it, keys in the documented order."""

    account_sid: str
    conversation_sid: str
    sid: str
    identity: str | None
    attributes: str
    messaging_binding: dict[str, str] | None
    role_sid: str | None
    date_created: str
    date_updated: str
    url: str
    last_read_message_index: int | None
    last_read_timestamp: str | None


class RejectedRequestError(Exception):
    """The request is rejected; holds the status of the response."""

    def __init__(self, status: int) -> None:
        """Store the status."""
        super().__init__(status)
        self.status = status


def authenticate(headers: Headers) -> str:
    """Return the account of the Basic credentials, compared in constant time."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, encoded = value.partition(b" ")
            if scheme.lower() != b"basic":
                break
            try:
                decoded = base64.b64decode(encoded, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError) as error:
                raise RejectedRequestError(401) from error
            account, _, token = decoded.partition(":")
            if account == ACCOUNT_SID and hmac.compare_digest(token, AUTH_TOKEN):
                return account
            break
    raise RejectedRequestError(401)


async def read_form(receive: Receive) -> dict[str, str]:
    """Return the parameters of the body, the last of each name."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > FORM_BYTES_MAX:
            raise RejectedRequestError(413)
    parsed = parse_query_string(body.decode(), keep_blank=True, csv=False)
    return {name: v if isinstance(v, str) else v[-1] for name, v in parsed.items()}


def sids_of(path: str) -> tuple[str, str]:
    """Return conversation and participant of ``/v1/Conversations/CH…/Participants/MB…``."""
    parts = path.split("/")
    return parts[3], parts[5]


def attributes_of(form: dict[str, str]) -> str:
    """Return ``Attributes`` unchanged, once they are validated as JSON."""
    text = form.get("Attributes", "{}")
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise RejectedRequestError(400) from error
    return text


def index_of(form: dict[str, str]) -> int | None:
    """Return ``LastReadMessageIndex`` as a number, if present."""
    text = form.get("LastReadMessageIndex")
    try:
        return int(text) if text else None
    except ValueError as error:
        raise RejectedRequestError(400) from error


def participant_of(account_sid: str, path: str, form: dict[str, str]) -> ParticipantRecord:
    """Return the participant that the form describes."""
    conversation_sid, sid = sids_of(path)
    return ParticipantRecord(
        account_sid=account_sid,
        conversation_sid=conversation_sid,
        sid=sid,
        identity="alice@example.com",
        attributes=attributes_of(form),
        messaging_binding=None,
        role_sid=form.get("RoleSid"),
        date_created=form.get("DateCreated", "2026-01-05T10:00:00Z"),
        date_updated=form.get("DateUpdated", "2026-01-05T10:00:00Z"),
        url=f"{BASE_URL}/Conversations/{conversation_sid}/Participants/{sid}",
        last_read_message_index=index_of(form),
        last_read_timestamp=form.get("LastReadTimestamp"),
    )


encode = msgspec.json.Encoder().encode


async def answer(send: Send, status: int, body: bytes) -> None:
    """Send one JSON answer."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def answer_health(send: Send) -> None:
    """Respond to the health check that the benchmark waits for."""
    await answer(send, 200, b"{}")
