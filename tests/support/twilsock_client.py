"""A client of the realtime endpoint that exposes every frame, unlike the official one."""

from __future__ import annotations

import json
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

if TYPE_CHECKING:
    from tests.support.server import Server

WAIT_SECONDS_MAX = 30.0
_START = re.compile(rb"TWILSOCK V3\.0 (\d+)\r\n")


@dataclass(frozen=True)
class ReceivedFrame:
    """One frame from the server."""

    header: dict[str, Any]
    payload: Any = None

    @property
    def method(self) -> str:
        """The method of its header."""
        return str(self.header["method"])


@dataclass(frozen=True)
class SocketResponse:
    """The response to a request in a frame."""

    status: int
    body: Any
    header: dict[str, Any]


def written(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """Return the bytes of a frame as the official client encodes them."""
    head = json.dumps(header | {"payload_size": len(payload)}).encode()
    return b"TWILSOCK V3.0 %d\r\n%b\r\n%b" % (len(head), head, payload)


def init_header(token: str) -> dict[str, Any]:
    """Return the header of ``init``, without an id."""
    return {"method": "init", "token": token, "continuation_token": None, "metadata": {}}


def request_header(method: str, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the header of a request through the tunnel, without an id."""
    return {
        "method": "message",
        "active_grant": "ip_messaging",
        "payload_type": "application/json",
        "http_request": {
            "host": "cds.us1.twilio.com",
            "path": path,
            "method": method,
            "params": params or {},
            "headers": {"Content-Type": "application/json"},
        },
    }


def parsed(message: bytes) -> ReceivedFrame:
    """Parse a frame of the server; strictly, so that a wrong length is noticed."""
    start = _START.match(message)
    assert start is not None, message[:80]
    end = start.end() + int(start[1])
    header = json.loads(message[start.end() : end])
    assert message[end : end + 2] == b"\r\n"
    size = header.get("payload_size") or 0
    body = message[end + 2 : end + 2 + size]
    assert len(body) == size
    assert message[end + 2 + size :] in ({b"\r\n"} if size else {b""}), message
    return ReceivedFrame(header, json.loads(body) if size else None)


def make_token(server: Server, identity: str, **form: str) -> str:
    """Return an access token of the server's first account."""
    made = requests.post(
        f"{server.base_url}/parlour/v1/Tokens",
        data={"Identity": identity, **form},
        auth=(server.account_sid, server.auth_token),
        timeout=60,
    )
    assert made.status_code == 201, made.text
    return str(made.json()["token"])


@dataclass
class Socket:
    """One connection. Messages other than the reply to a request wait in ``pending``."""

    connection: ClientConnection
    pending: list[ReceivedFrame] = field(default_factory=list)
    acknowledges: bool = True

    @classmethod
    def to(cls, server: Server, path: str = "/v3/wsconnect", **options: Any) -> Self:
        """Return a new WebSocket; no frame has been sent yet."""
        url = f"ws://127.0.0.1:{server.port}{path}"
        # Used without a context manager: the tests close it through theirs.
        opened = connect(url, max_size=None, compression=None, legacy=True, **options)
        return cls(opened)

    def __enter__(self) -> Self:
        """Return the open connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.connection.close()

    def send(self, header: dict[str, Any], payload: bytes = b"") -> str:
        """Send one frame and return its id."""
        frame_id = f"TM{uuid.uuid4()}"
        self.connection.send(written({"id": frame_id, **header}, payload))
        return frame_id

    def receive(self, seconds: float = WAIT_SECONDS_MAX) -> ReceivedFrame:
        """Return the next frame, acknowledged as the official client does."""
        message = self.connection.recv(seconds)
        assert isinstance(message, bytes), "The official client does not hear text."
        frame = parsed(message)
        if frame.method != "reply" and self.acknowledges:
            reply = {"method": "reply", "status": {"code": 200, "status": "OK"}}
            try:
                self.connection.send(written({"id": frame.header["id"], **reply}))
            except ConnectionClosed:  # It was the server's last frame.
                self.acknowledges = False
        return frame

    def reply_to(self, frame_id: str) -> ReceivedFrame:
        """Return the reply with this id; all messages before it wait in ``pending``."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while time.monotonic() < deadline:
            frame = self.receive()
            if frame.method == "reply" and frame.header["id"] == frame_id:
                return frame
            self.pending.append(frame)
        raise TimeoutError(frame_id)

    def init(self, token: str, **header: Any) -> ReceivedFrame:
        """Send ``init`` and return the reply."""
        return self.reply_to(self.send(init_header(token) | header))

    def send_request(
        self, method: str, path: str, body: Any = None, params: dict[str, Any] | None = None
    ) -> SocketResponse:
        """Send a request through the tunnel and return the response."""
        payload = b"" if body is None else json.dumps(body).encode()
        frame = self.reply_to(self.send(request_header(method, path, params), payload))
        assert frame.header["status"]["code"] == 200, frame.header
        return SocketResponse(frame.header["http_status"]["code"], frame.payload, frame.header)

    def subscribe(self, *objects: tuple[str, str, int | None], action: str = "establish") -> int:
        """Subscribe to objects (type, sid, last event's number); return the correlation id."""
        correlation_id = int(uuid.uuid4().int % 1_000_000_000)
        body = {
            "event_protocol_version": 4,
            "action": action,
            "correlation_id": correlation_id,
            "requests": [
                {"object_type": kind, "object_sid": sid, "last_event_id": after}
                for kind, sid, after in objects
            ],
        }
        answer = self.send_request("POST", "/v4/Subscriptions", body)
        assert answer.status == 202, answer
        return correlation_id

    def open(self, kind: str, name: str) -> dict[str, Any]:
        """Fetch an object, which must exist."""
        answer = self.send_request("GET", f"/v3/{kind}/{name}")
        assert answer.status == 200, answer
        body: dict[str, Any] = answer.body
        return body

    def next_event(self, *event_types: str, seconds: float = WAIT_SECONDS_MAX) -> dict[str, Any]:
        """Return the next notification of one of these types; others before it are dropped."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            frame = self.pending.pop(0) if self.pending else self.receive(seconds)
            if frame.method == "notification" and frame.payload.get("event_type") in event_types:
                payload: dict[str, Any] = frame.payload
                return payload
        raise TimeoutError(event_types)

    def quiet(self, seconds: float = 0.3) -> list[ReceivedFrame]:
        """Return the unsolicited messages until none arrives for some time."""
        while True:  # Ends with the first timeout.
            try:
                self.pending.append(self.receive(seconds))
            except (TimeoutError, ConnectionClosed):
                found, self.pending = self.pending, []
                return found

    def closing_frame(self, seconds: float = WAIT_SECONDS_MAX) -> ReceivedFrame:
        """Return the server's close message; all messages before it are dropped."""
        frame = next((each for each in self.pending if each.method == "close"), None)
        while frame is None or frame.method != "close":
            frame = self.receive(seconds)
        return frame

    def is_closed(self, seconds: float = WAIT_SECONDS_MAX) -> bool:
        """Return whether the server closes the WebSocket within a time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.connection.recv(0.1)
            except TimeoutError:
                continue
            except ConnectionClosed:
                return True
        return False
