"""An HTTP provider for a whole server: responses follow a script, callbacks are signed."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlencode

import httpx
from twilio.request_validator import RequestValidator

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT = "AC" + "9" * 32
TOKEN = "token-at-the-provider"


@dataclass(frozen=True)
class ProviderSubmission:
    """One accepted or rejected submission, and the SID that the provider gave it."""

    sid: str
    fields: dict[str, list[str]]
    authorization: str

    def field(self, name: str) -> str:
        """Return a parameter that occurs once."""
        [value] = self.fields[name]
        return value


@dataclass
class ScriptedResponse:
    """The response to one submission; ``before`` is called with it before the response."""

    status: int = 201
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[ProviderSubmission], None] | None = None


class ProviderStandIn:
    """The provider; ``script`` has the responses to the next submissions, by recipient.

    A recipient without a script is accepted. ``media`` are the contents by path.
    """

    def __init__(self) -> None:
        self.submissions: list[ProviderSubmission] = []
        self.script: dict[str, list[ScriptedResponse]] = {}
        self.media: dict[str, tuple[str, bytes]] = {}
        self.downloads: list[tuple[str, str | None]] = []
        stand_in = self

        class ProviderHandler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                fields = parse_qs(self.rfile.read(length).decode(), keep_blank_values=True)
                response = stand_in._submit(fields, self.headers["Authorization"])
                self._respond(response.status, json.dumps(response.body).encode(), response.headers)

            def do_GET(self) -> None:
                stand_in.downloads.append((self.path, self.headers["Authorization"]))
                if self.path not in stand_in.media:
                    self._respond(404, b"{}", {})
                    return
                content_type, content = stand_in.media[self.path]
                self._respond(200, content, {"Content-Type": content_type})

            def _respond(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), ProviderHandler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def to(self, recipient: str) -> list[ProviderSubmission]:
        """Return the submissions to a recipient."""
        return [each for each in self.submissions if each.fields["To"] == [recipient]]

    def _submit(self, fields: dict[str, list[str]], authorization: str) -> ScriptedResponse:
        submission = ProviderSubmission(f"SM{len(self.submissions):032d}", fields, authorization)
        self.submissions.append(submission)
        scripted = self.script.get(fields["To"][0], [])
        response = scripted.pop(0) if scripted else ScriptedResponse()
        if response.before is not None:
            response.before(submission)
        accepted = {"sid": submission.sid, "status": "queued"}
        body = response.body or (accepted if response.status == 201 else {})
        return ScriptedResponse(response.status, body, response.headers)


def call_back(url: str, token: str = TOKEN, **parameters: str) -> int:
    """Send a callback that the official library signs; return the status."""
    signature = RequestValidator(token).compute_signature(url, parameters)
    response = httpx.post(
        url,
        content=urlencode(parameters),
        headers={
            "X-Twilio-Signature": signature,
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )
    return response.status_code


def report(submission: ProviderSubmission, status: str, token: str = TOKEN, **more: str) -> int:
    """Report a status to the submission's callback URL; return the status of the response."""
    url = submission.field("StatusCallback")
    return call_back(url, token, MessageSid=submission.sid, MessageStatus=status, **more)
