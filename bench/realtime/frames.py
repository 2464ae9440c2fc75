"""The frames that the official client SDK sends, prepared as bytes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import jwt

JSON = "application/json"
JSON_COMMAND = "application/json; charset=utf-8"
NOTICES = [
    "twilio.ipmsg.typing_indicator",
    "twilio.sync.event",
    "com.twilio.rtd.cds.document",
    "com.twilio.rtd.cds.list",
    "com.twilio.rtd.cds.map",
]
TOKEN_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """An API key, which signs access tokens, and their service."""

    account_sid: str
    sid: str
    secret: str
    service_sid: str

    def token(self, identity: str) -> str:
        """Return an access token as the official helper libraries create it."""
        now = int(time.time())
        grants = {"identity": identity, "chat": {"service_sid": self.service_sid}}
        claims = {"jti": f"{self.sid}-{now}", "iss": self.sid, "sub": self.account_sid}
        claims |= {"iat": now, "exp": now + TOKEN_SECONDS, "grants": grants}
        headers = {"cty": "twilio-fpa;v=1"}
        return jwt.encode(claims, self.secret, algorithm="HS256", headers=headers)


def frame(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """Return one frame; clients end theirs without a line's end."""
    written = json.dumps(header | {"payload_size": len(payload)}, separators=(",", ":")).encode()
    return b"TWILSOCK V3.0 %d\r\n%b\r\n%b" % (len(written), written, payload)


def parsed(raw: bytes) -> tuple[dict[str, Any], bytes]:
    """Return header and payload of a frame."""
    first, _, rest = raw.partition(b"\r\n")
    size = int(first.split()[-1])
    header: dict[str, Any] = json.loads(rest[:size])
    begin = size + 2
    return header, rest[begin : begin + (header.get("payload_size") or 0)]


def init(token: str, number: int) -> bytes:
    """Return the first frame of a connection."""
    registration = {
        "product": "ip_messaging",
        "type": "ers",
        "notification_protocol_version": 0,
        "message_types": NOTICES,
    }
    metadata = {"ver": "1.0.2", "env": "Node.js", "type": "conversations", "sdk": "JS"}
    header = {
        "id": _id(number, "init"),
        "method": "init",
        "token": token,
        "continuation_token": None,
        "metadata": metadata | {"sdkv": "3.0.1"},
        "registrations": [registration],
        "tweaks": None,
        "capabilities": ["client_update", "offline_storage", "telemetry.v1"],
    }
    return frame(header)


def request(
    number: int,
    method: str,
    path: str,
    body: object = None,
    params: dict[str, Any] | None = None,
    payload_type: str = JSON,
) -> bytes:
    """Return an HTTP request through the socket."""
    header = {
        "id": _id(number, "message"),
        "method": "message",
        "active_grant": "ip_messaging",
        "payload_type": payload_type,
        "http_request": {
            "host": "aim.us1.twilio.com",
            "path": path,
            "method": method,
            "params": params or {},
            "headers": {"Content-Type": payload_type},
        },
    }
    return frame(header, json.dumps(body, separators=(",", ":")).encode() if body else b"")


def subscribe(number: int, objects: list[tuple[str, str]]) -> bytes:
    """Return frames that subscribe to objects of a type and sid, from now on, without a replay."""
    requests = [
        {"object_sid": sid, "object_type": type_, "last_event_id": None} for type_, sid in objects
    ]
    body = {
        "event_protocol_version": 4,
        "action": "establish",
        "correlation_id": 1_795_335_234_955 + number,
        "retried_requests": 0,
        "ttl_in_s": -1,
        "requests": requests,
    }
    return request(number, "POST", "/v4/Subscriptions", body)


def _id(number: int, kind: str) -> str:
    # As long as the SDK's own: TM and a UUID with dashes.
    return f"TM{kind:-<12.12}-{number:023d}"
