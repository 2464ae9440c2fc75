"""The media of one service for tests, with requests of an account or of one of its users."""

from __future__ import annotations

import base64
import http.client
import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tests.support.client import ApiResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.support.client import Api
    from tests.support.server import Server

TIMEOUT_SECONDS = 60.0
Medium = dict[str, Any]
Body = bytes | str | None


@dataclass(frozen=True)
class MediaClient:
    """Requests about the media of one service, with one caller's credentials."""

    server: Server
    service_sid: str
    credentials: Mapping[str, str]

    @classmethod
    def of_account(cls, server: Server, api: Api, service_sid: str) -> MediaClient:
        """Create a client of the account itself."""
        pair = base64.b64encode(f"{api.sid}:{api.token}".encode()).decode()
        return cls(server, service_sid, {"Authorization": f"Basic {pair}"})

    @classmethod
    def of_user(cls, server: Server, api: Api, service_sid: str, identity: str) -> MediaClient:
        """Create a client of a user of the service."""
        form = {"Identity": identity, "ServiceSid": service_sid}
        made = api.under("/parlour/v1").post("/Tokens", form).expect(201)
        return cls(server, service_sid, {"X-Twilio-Token": made["token"]})

    @property
    def path(self) -> str:
        """The path of the media."""
        return f"/v1/Services/{self.service_sid}/Media"

    def send_request(
        self, method: str, path: str, body: Body = None, headers: Mapping[str, str] = {}
    ) -> ApiResponse:
        """Send one request with the caller's credentials; the path may be a complete URL."""
        return self.send_bare(method, path, body, {**self.credentials, **headers})

    def send_bare(
        self, method: str, path: str, body: Body = None, headers: Mapping[str, str] = {}
    ) -> ApiResponse:
        """Send one request without credentials."""
        parts = urlsplit(path)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return exchange(self.server.port, method, target, body, headers)

    def upload(
        self,
        content: Body = b"hello",
        content_type: str | None = "text/plain",
        headers: Mapping[str, str] = {},
        **query: str,
    ) -> ApiResponse:
        """Upload these bytes and return the response."""
        headers = dict(headers)
        if content_type is not None:
            headers["Content-Type"] = content_type
        path = f"{self.path}?{urlencode(query)}" if query else self.path
        return self.send_request("POST", path, content, headers)

    def add(self, content: Body = b"hello", content_type: str = "text/plain", **q: str) -> Medium:
        """Upload a medium and return its record."""
        made: Medium = self.upload(content, content_type, **q).expect(201)
        return made

    def upload_form(self, parts: Iterable[FormPart], **query: str) -> ApiResponse:
        """Upload a form as browsers send it, and return the response."""
        body = b"".join(part.written() for part in parts) + b"--cut--\r\n"
        content_type = "multipart/form-data; boundary=cut"
        return self.upload(body, content_type, **query)

    def look(self, sid: str, headers: Mapping[str, str] = {}) -> ApiResponse:
        """Look up a medium and return the response."""
        return self.send_request("GET", f"{self.path}/{sid}", headers=headers)

    def content(self, sid: str, **headers: str) -> ApiResponse:
        """Return the bytes, downloaded with the caller's credentials."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.send_request("GET", f"{self.path}/{sid}/Content", headers=named)

    def check_all(self, sids: Iterable[str], command: str = "get") -> ApiResponse:
        """Look up several media and return the response."""
        command_body = {"command": command, "list": [{"media_sid": sid} for sid in sids]}
        path = f"{self.path}Set"
        return self.send_request(
            "POST", path, json.dumps(command_body), {"Content-Type": "application/json"}
        )

    def direct(self, medium: Medium, **headers: str) -> ApiResponse:
        """Return the bytes, downloaded by a record's temporary URL without credentials."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.send_bare("GET", direct_url(medium), headers=named)

    def sees(self, sid: str) -> bool:
        """Return whether the medium is visible; all ways to read it must agree."""
        answers = [self.look(sid), self.content(sid)]
        shown = [answer.status == 200 for answer in answers]
        shown.append(self.check_all([sid]).expect(200)[0]["code"] == 200)
        assert len(set(shown)) == 1, shown
        return shown[0]


@dataclass(frozen=True)
class FormPart:
    """One part of a form."""

    content: bytes
    head: str

    @classmethod
    def file(cls, content: bytes, filename: str, content_type: str | None = None) -> FormPart:
        """Return a file part."""
        head = f'Content-Disposition: form-data; name="file"; filename="{filename}"'
        return cls(
            content, head if content_type is None else f"{head}\r\nContent-Type: {content_type}"
        )

    @classmethod
    def field(cls, name: str, text: str) -> FormPart:
        """Return a field part."""
        return cls(text.encode(), f'Content-Disposition: form-data; name="{name}"')

    def written(self) -> bytes:
        """The part as it appears in the body."""
        return b"--cut\r\n" + self.head.encode() + b"\r\n\r\n" + self.content + b"\r\n"


def direct_url(medium: Medium) -> str:
    """Return the temporary URL of a record."""
    url: str = medium["links"]["content_direct_temporary"]
    return url


def exchange(
    port: int, method: str, target: str, body: Body, headers: Mapping[str, str]
) -> ApiResponse:
    """Send one request on a separate connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    with closing(connection):
        connection.request(method, target, body, dict(headers))
        answer = connection.getresponse()
        return ApiResponse(answer.status, answer.headers, answer.read())
