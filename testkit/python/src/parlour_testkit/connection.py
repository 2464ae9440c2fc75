"""Requests to the server with the standard library alone."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from parlour_testkit.errors import ApiError, ServerUnreachable
from parlour_testkit.values import pairs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour_testkit.values import FormValue

FUNCTIONS = "/parlour/v1"
"""The path of the functions that are Parlour's own."""
TIMEOUT_S = 30.0
PAGE_SIZE = 100
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Reply:
    """A response of the server: its status, and its parsed JSON."""

    status: int
    json: Any


@dataclass(frozen=True)
class Connection:
    """Sends requests with the login of one account; each request has a separate connection."""

    url: str
    login: str
    secret: str

    def __repr__(self) -> str:
        """Return the URL and the login, without the secret."""
        return f"Connection({self.url!r}, {self.login!r})"

    def get(self, path: str, **parameters: FormValue) -> Any:
        """Return the JSON of a GET. Raises ApiError, ServerUnreachable."""
        __tracebackhide__ = True  # pytest shows the line of the test.
        wait = parameters.get("wait")
        timeout_s = TIMEOUT_S + (float(wait) if isinstance(wait, int | float) else 0.0)
        return self.request("GET", path, parameters, timeout_s=timeout_s).json

    def post(self, path: str, **parameters: FormValue) -> Any:
        """Return the JSON of a POST with a form. Raises ApiError, ServerUnreachable."""
        __tracebackhide__ = True  # pytest shows the line of the test.
        return self.request("POST", path, parameters).json

    def delete(self, path: str) -> None:
        """Delete a resource. Raises ApiError, ServerUnreachable."""
        self.request("DELETE", path, {})

    def pages(
        self, path: str, key: str, parameters: Mapping[str, FormValue] | None = None
    ) -> list[dict[str, Any]]:
        """Return the rows of all pages of a list. Raises ApiError, ServerUnreachable."""
        page = self.get(path, page_size=PAGE_SIZE, **(parameters or {}))
        rows: list[dict[str, Any]] = list(page[key])
        while following := page["meta"]["next_page_url"]:
            parts = urlsplit(following)
            page = self.send("GET", f"{parts.path}?{parts.query}").json
            rows += page[key]
        return rows

    def request(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, FormValue],
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> Reply:
        """Send a form (POST), or a query. Raises ApiError for an error, ServerUnreachable."""
        __tracebackhide__ = True  # pytest shows the line of the test.
        encoded = urlencode(pairs_of(parameters))
        if method == "POST":
            return self.send(method, path, encoded.encode(), _FORM, timeout_s=timeout_s)
        return self.send(method, f"{path}?{encoded}" if encoded else path, timeout_s=timeout_s)

    def send(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        content_type: str = _FORM,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> Reply:
        """Send a body as it is. Raises ApiError for an error, ServerUnreachable."""
        __tracebackhide__ = True  # pytest shows the line of the test.
        credentials = base64.b64encode(f"{self.login}:{self.secret}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}"}
        if body is not None:
            headers["Content-Type"] = content_type
        parts = urlsplit(self.url)
        make = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = make(parts.netloc, timeout=timeout_s)
        try:
            connection.request(method, parts.path.rstrip("/") + target, body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise ServerUnreachable(
                f"{method} {target.partition('?')[0]}: no answer from the Parlour server at "
                f"{self.url}: {reason}"
            ) from error
        finally:
            connection.close()
        return _checked(method, target, response.status, content)


def _checked(method: str, target: str, status: int, content: bytes) -> Reply:
    __tracebackhide__ = True
    try:
        parsed = json.loads(content) if content else None
    except ValueError:
        parsed = None
    if status < 400:
        return Reply(status, parsed)
    operation = f"{method} {target.partition('?')[0]}"
    if isinstance(parsed, dict) and "message" in parsed:
        raise ApiError(operation, status, parsed.get("code"), str(parsed["message"]))
    raise ApiError(operation, status, None, content[:500].decode(errors="replace"))
