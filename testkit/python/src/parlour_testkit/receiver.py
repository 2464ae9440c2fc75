"""An HTTP server on loopback that receives webhooks in separate threads."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from parlour_testkit.signatures import HEADER, is_signed_form, is_signed_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_READ_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it arrived; ``is_signed`` is the result of the signature check."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    parameters: Mapping[str, str]
    signature: str
    is_signed: bool


@dataclass(frozen=True)
class Answer:
    """What the receiver answers: after ``delay_s`` real seconds, a status and a JSON object."""

    status: int = 200
    json: Mapping[str, Any] | None = None
    delay_s: float = 0


class Receiver:
    """Listens on a free port of loopback; ``handle`` gets each request and returns the response."""

    def __init__(self, auth_token: str, handle: Callable[[ReceivedRequest], Answer]) -> None:
        self._auth_token = auth_token
        self._handle = handle
        self._is_closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = _READ_TIMEOUT_S

            def do_GET(self) -> None:
                receiver._respond(self)

            do_POST = do_GET  # noqa: N815 - as above.

            def log_message(self, *_: object) -> None:
                """Print nothing: the base class writes each request to stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="parlour webhooks", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop; delayed answers are sent at once. A second call does nothing."""
        if self._is_closing.is_set():
            return
        self._is_closing.set()
        self._server.shutdown()
        # Not `server_close`, which waits for connections that the sender keeps open.
        self._server.socket.close()
        self._thread.join()

    def _respond(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        answer = self._handle(self._read(handler, handler.rfile.read(length)))
        if answer.delay_s:
            self._is_closing.wait(answer.delay_s)
        body = b"" if answer.json is None else json.dumps(answer.json).encode()
        handler.send_response(answer.status)
        handler.send_header("Content-Length", str(len(body)))
        if body:
            handler.send_header("Content-Type", "application/json")
        if self._is_closing.is_set():
            handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(body)

    def _read(self, handler: BaseHTTPRequestHandler, body: bytes) -> ReceivedRequest:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        url = f"http://{headers.get('host', '')}{handler.path}"
        signature = headers.get(HEADER.lower(), "")
        form: list[tuple[str, str]] = []
        if headers.get("content-type", "").startswith("application/json"):
            parameters = json.loads(body)
            is_signed = is_signed_json(self._auth_token, url, body, signature)
        else:
            form = parse_qsl(body.decode(), keep_blank_values=True)
            query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
            parameters = dict(form or query)
            is_signed = is_signed_form(self._auth_token, url, form, signature)
        return ReceivedRequest(
            handler.command, url, headers, body, parameters, signature, is_signed
        )
