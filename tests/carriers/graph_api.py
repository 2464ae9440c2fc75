"""A stand-in of the WhatsApp Cloud API on loopback: messages, media, numbers, signed webhooks.

It checks each request, and records it. `pywa` judges it (test_graph_stand_in.py): what satisfies an
independent client here is what the carrier is tested with.
"""

from __future__ import annotations

import email.parser
import email.policy
import hashlib
import hmac
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from typing import Self

TOKEN = "graph-access-token"
APP_SECRET = "graph-app-secret"
VERIFY_TOKEN = "graph-verify-token"
NUMBER_ID = "106540352242922"
DISPLAY_NUMBER = "+1 501-712-2661"
USER = "15558675310"
USER_ID = "US.13491208655302741918"

_PLAIN_TYPES = frozenset({"text", "image", "video", "audio", "document", "location", "interactive"})


class GraphRequest(NamedTuple):
    """One request: its method, its path without the version, its headers and its body."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class GraphError(Exception):
    """An error of the API: the status, and the code of its body; without a code the text."""

    def __init__(
        self, status: int, code: int | None, message: str = "Planned", **headers: str
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers


class GraphApi:
    """The stand-in; use it as a context manager."""

    def __init__(self) -> None:
        self.requests: list[GraphRequest] = []
        self.messages: list[dict[str, Any]] = []
        self.media: dict[str, tuple[str, bytes]] = {}
        self.templates: dict[tuple[str, str], int] = {}
        """The number of body parameters of each approved template, by name and language."""
        self.planned: list[GraphError] = []
        """Errors of the next requests."""
        self.wrong_digest = False
        self.media_url = ""
        """Where media are said to be, in place of the stand-in."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.base_url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class GraphHandler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._respond()

            def do_POST(self) -> None:
                self._respond()

            def _respond(self) -> None:
                size = int(self.headers.get("Content-Length", "0"))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = GraphRequest(self.command, self.path, headers, self.rfile.read(size))
                status, content_type, body, more = api.respond(request)
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                for name, value in more.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        return GraphHandler

    def respond(self, request: GraphRequest) -> tuple[int, str, bytes, dict[str, str]]:
        """Return status, content type, body and further headers of a response."""
        self.requests.append(request)
        try:
            self._check_access(request)
            content = self._content(request)
        except GraphError as error:
            body = str(error).encode()
            if error.code is not None:
                shown = {"message": str(error), "type": "OAuthException", "code": error.code}
                body = json.dumps({"error": {**shown, "fbtrace_id": "A1"}}).encode()
            return error.status, "application/json", body, error.headers
        if isinstance(content, bytes):
            return 200, "image/png", content, {}
        return 200, "application/json", json.dumps(content).encode(), {}

    def _check_access(self, request: GraphRequest) -> None:
        if self.planned:
            raise self.planned.pop(0)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            raise GraphError(401, 190, "Invalid OAuth access token")

    def _content(self, request: GraphRequest) -> dict[str, Any] | bytes:
        path = request.path.partition("?")[0]
        if request.method == "GET" and (found := re.fullmatch(r"/files/(\w+)", path)):
            return self.media[found[1]][1]
        found = re.fullmatch(r"/v\d+\.\d+/(\w+)(/\w+)?", path)
        if found is None:
            raise GraphError(404, 100, "Unknown path")
        name, edge = found[1], found[2]
        if request.method == "GET" and edge is None:
            return self._medium(name) if name in self.media else self._number(name)
        if request.method != "POST" or name != NUMBER_ID:
            raise GraphError(400, 100, f"Object {name} does not exist")
        if edge == "/messages":
            return self._message(json.loads(request.body))
        assert edge == "/media"
        return self._upload(request)

    def _number(self, name: str) -> dict[str, Any]:
        if name != NUMBER_ID:
            raise GraphError(400, 100, f"Object {name} does not exist")
        return {"id": name, "display_phone_number": DISPLAY_NUMBER}

    def _medium(self, name: str) -> dict[str, Any]:
        content_type, content = self.media[name]
        digest = hashlib.sha256(b"" if self.wrong_digest else content).hexdigest()
        return {
            "messaging_product": "whatsapp",
            "url": self.media_url or f"{self.base_url}/files/{name}",
            "mime_type": content_type,
            "sha256": digest,
            "file_size": len(content),
            "id": name,
        }

    def _upload(self, request: GraphRequest) -> dict[str, Any]:
        head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
        parser = email.parser.BytesParser(policy=email.policy.HTTP)
        parts = {
            part.get_param("name", header="content-disposition"): part
            for part in parser.parsebytes(head + request.body).iter_parts()
        }
        file = parts["file"]
        assert parts["messaging_product"].get_content().strip() == "whatsapp"
        name = f"{len(self.media) + 1:015}"
        content = file.get_payload(decode=True)
        self.media[name] = (file.get_content_type(), content)
        return {"id": name}

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        type_ = message.get("type")
        if message.get("messaging_product") != "whatsapp" or type_ not in {
            *_PLAIN_TYPES,
            "template",
        }:
            raise GraphError(400, 100, "Invalid parameter")
        value = message.get(type_)
        recipient = message.get("to") or message.get("recipient")
        if not isinstance(value, dict) or not recipient or {"to", "recipient"} <= set(message):
            raise GraphError(400, 100, "Invalid parameter")
        if "id" in value and value["id"] not in self.media:
            raise GraphError(400, 131053, "Media upload error")
        if type_ == "template":
            self._check_template(value)
        self.messages.append(message)
        identifier = f"wamid.{len(self.messages):08}"
        contact = {"input": recipient, "wa_id": recipient.lstrip("+")}
        return {
            "messaging_product": "whatsapp",
            "contacts": [contact],
            "messages": [{"id": identifier}],
        }

    def _check_template(self, template: dict[str, Any]) -> None:
        count = self.templates.get((template["name"], template["language"]["code"]))
        if count is None:
            raise GraphError(404, 132001, "Template name does not exist in the translation")
        components = template.get("components", [])
        bodies = [each for each in components if each["type"].lower() == "body"]
        if count != sum(len(each["parameters"]) for each in bodies):
            raise GraphError(400, 132000, "Number of parameters does not match")


# --- Webhooks ------------------------------------------------------------------------------


def webhook(value: dict[str, Any], *, number_id: str = NUMBER_ID, **change: Any) -> bytes:
    """Return the body of a webhook about one number."""
    metadata = {"display_phone_number": "15017122661", "phone_number_id": number_id}
    whole = {"messaging_product": "whatsapp", "metadata": metadata, **value}
    changes = [{"value": whole, "field": "messages", **change}]
    entry = [{"id": "102290129340398", "changes": changes}]
    return json.dumps({"object": "whatsapp_business_account", "entry": entry}).encode()


def signature(body: bytes, secret: str = APP_SECRET) -> str:
    """Return the value of the header X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def contact(*, with_number: bool = True, with_id: bool = True, name: str = "Ada") -> dict[str, Any]:
    """Return the contact of a user, in the forms of older and newer webhooks."""
    number = {"wa_id": USER} if with_number else {}
    return {"profile": {"name": name}, **number} | ({"user_id": USER_ID} if with_id else {})


def status_value(status: str, identifier: str = "wamid.00000001", **members: Any) -> dict[str, Any]:
    """Return the value of a webhook about the status of a submission."""
    made = {"id": identifier, "status": status, "timestamp": "1796112000", "recipient_id": USER}
    made |= {"recipient_user_id": USER_ID, **members}
    return {"contacts": [contact()], "statuses": [made]}


def message_value(
    type_: str, content: Any, *, sender: dict[str, Any] | None = None, **members: Any
) -> dict[str, Any]:
    """Return the value of a webhook about one inbound message."""
    made = {"from": USER, "from_user_id": USER_ID, "id": "wamid.in1", "timestamp": "1796112000"}
    made |= {"type": type_, type_: content, **members}
    made = {name: value for name, value in made.items() if value is not None}
    return {"contacts": [sender or contact()], "messages": [made]}
