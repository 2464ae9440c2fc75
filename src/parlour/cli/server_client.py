"""Requests of commands to a running server, over HTTP with an account's login.

URL and login are taken from the first of these that has them:

| source | URL | login |
|---|---|---|
| options | `--url` | `--account-sid` with `--auth-token`, or `--account` with `--token` |
| the ready file of `--ready-file` | its URL | its account, or its API key |
| variables | `PARLOUR_URL` | `PARLOUR_ACCOUNT_SID`, `PARLOUR_AUTH_TOKEN` |
| variables that `serve` prints | | `ACCOUNT_SID`, `AUTH_TOKEN` |
| the ready file of `PARLOUR_READY_FILE` | its URL | its account, or its API key |
| default | http://127.0.0.1:8080 | none: the command ends with an error |

Proxies of the environment are not used.
"""

from __future__ import annotations

import base64
import functools
import json
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import click
from click.core import ParameterSource

from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemRandom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

json_option: Final = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object per row."
)
DEFAULT_URL: Final = "http://127.0.0.1:8080"
# A list that waits, and a message whose conversation has a slow pre-action webhook.
_TIMEOUT_SECONDS: Final = limits.LIST_WAIT_SECONDS_MAX + limits.REQUEST_SECONDS_MAX


_NO_LOGIN: Final = 401


class ApiRefused(Exception):  # noqa: N818 - named after the condition.
    """The server answered with an error."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"{message} (error {code}, status {status})")
        self.status: Final = status


class ServerUnreachable(click.ClickException):
    """No response arrived, or none that is one of a server."""


class FormFile(NamedTuple):
    """A file of a form."""

    field: str
    name: str
    content_type: str
    content: bytes


class ServerClient:
    """Sends requests to one server as one account."""

    def __init__(self, url: str, login: str, secret: str) -> None:
        """Raises UsageError for another scheme than http and https."""
        if not url.startswith(("http://", "https://")):
            raise click.UsageError(f"{url} is no URL of a server")
        self.url = url.rstrip("/")
        self.login, self.secret = login, secret
        token = base64.b64encode(f"{login}:{secret}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Accept": "application/json"}
        self._opener = build_opener(ProxyHandler({}))

    def get(
        self, path: str, query: Mapping[str, str] | Sequence[tuple[str, str]] | None = None
    ) -> Any:
        """Return the JSON of a GET. Raises ApiRefused."""
        return self._send(self._request(f"{path}?{urlencode(query)}" if query else path))

    def get_page(self, url: str) -> Any:
        """Return the page of a list that another page names. Raises ApiRefused."""
        # The server may be reached by another name than the one in its URLs.
        parts = urlsplit(url)
        return self._send(self._request(f"{parts.path}?{parts.query}"))

    def rows(
        self,
        path: str,
        key: str,
        query: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of all pages of a list. Raises ApiRefused."""
        page = self.get(path, query)
        yield from page[key]
        while page["meta"]["next_page_url"]:
            page = self.get_page(page["meta"]["next_page_url"])
            yield from page[key]

    def post(self, path: str, fields: Sequence[tuple[str, str]]) -> Any:
        """Return the JSON of the response to a form. Raises ApiRefused."""
        return self._send(self._request(path, urlencode(fields).encode()))

    def post_document(self, path: str, content: bytes, content_type: str) -> Any:
        """Return the JSON of the response to a document of this type. Raises ApiRefused."""
        request = self._request(path, content)
        request.add_header("Content-Type", content_type)
        return self._send(request)

    def delete(self, path: str) -> None:
        """Delete an object. Raises ApiRefused."""
        request = self._request(path)
        request.method = "DELETE"
        self._send(request)

    def post_files(
        self, path: str, fields: Sequence[tuple[str, str]], files: Sequence[FormFile]
    ) -> Any:
        """Return the JSON of the response to a form with files. Raises ApiRefused."""
        boundary = SystemRandom().token(16).hex()
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
            for name, text in fields
        ]
        body = "".join(parts).encode()
        for each in files:
            head = (
                f"--{boundary}\r\nContent-Disposition: form-data; "
                f"name=\"{each.field}\"; filename*=UTF-8''{quote(each.name, safe='')}\r\n"
                f"Content-Type: {each.content_type}\r\n\r\n"
            )
            body += head.encode() + each.content + b"\r\n"
        body += f"--{boundary}--\r\n".encode()
        request = self._request(path, body)
        request.add_header("Content-Type", f"multipart/form-data; boundary={boundary}")
        return self._send(request)

    def _request(self, path: str, body: bytes | None = None) -> Request:
        # The scheme was checked when the client was made.
        return Request(self.url + path, body, self._headers)  # noqa: S310

    def _send(self, request: Request) -> Any:
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
                return json.loads(response.read() or b"null")
        except HTTPError as error:
            raise _refusal(error) from error
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            hint = "; start the server, or name its URL with --url"
            hint = hint if isinstance(reason, ConnectionRefusedError) else ""
            raise ServerUnreachable(f"{self.url} cannot be used: {reason}{hint}") from error


def _refusal(error: HTTPError) -> ApiRefused:
    try:
        body = json.loads(error.read())
        return ApiRefused(error.code, body["code"], body["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return ApiRefused(error.code, 0, error.reason)


def printable(text: str) -> str:
    """Return a text without characters that control a terminal; a line break becomes a space."""
    return "".join(
        each if each.isprintable() else " " if each.isspace() else "\ufffd" for each in text
    )


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of URL and login; the command gets the client first."""

    @functools.wraps(command)
    def with_client(
        url: str | None,
        account_sid: str | None,
        auth_token: str | None,
        ready_file: Path | None,
        **values: Any,
    ) -> Any:
        client = _client(url, account_sid, auth_token, ready_file)
        try:
            return command(client, **values)
        except ApiRefused as error:
            hint = f": check the login {client.login} at {client.url}" * (error.status == _NO_LOGIN)
            raise click.ClickException(f"{error}{hint}") from error

    decorated: Callable[..., Any] = with_client
    for option in (
        click.option(
            "--ready-file",
            envvar="PARLOUR_READY_FILE",
            type=click.Path(path_type=Path, dir_okay=False),
            help="The ready file of the server, which has URL and login; or PARLOUR_READY_FILE.",
        ),
        click.option(
            "--auth-token",
            "--token",
            envvar=["PARLOUR_AUTH_TOKEN", "AUTH_TOKEN"],
            help="Its auth token; or PARLOUR_AUTH_TOKEN, AUTH_TOKEN.",
        ),
        click.option(
            "--account-sid",
            "--account",
            envvar=["PARLOUR_ACCOUNT_SID", "ACCOUNT_SID"],
            help="The account; or PARLOUR_ACCOUNT_SID, ACCOUNT_SID.",
        ),
        click.option(
            "--url",
            envvar="PARLOUR_URL",
            help=f"The server; or PARLOUR_URL; by default {DEFAULT_URL}.",
        ),
    ):
        decorated = option(decorated)
    return decorated


def _client(
    url: str | None, account_sid: str | None, auth_token: str | None, ready_file: Path | None
) -> ServerClient:
    context = click.get_current_context()

    def is_option(name: str) -> bool:
        return context.get_parameter_source(name) is ParameterSource.COMMANDLINE

    if is_option("ready_file"):  # It takes precedence over variables.
        url = url if is_option("url") else None
        if not is_option("account_sid"):
            account_sid = auth_token = None
    ready: dict[str, Any] = {}
    if ready_file is not None and not (url and account_sid and auth_token):
        ready = _read_ready_file(ready_file)
    login, secret = account_sid, auth_token
    if not (login and secret):
        login, secret = ready.get("account_sid"), ready.get("auth_token")
    if not (login and secret):
        login, secret = ready.get("api_key_sid"), ready.get("api_key_secret")
    if not (login and secret):
        raise click.UsageError(
            "no login: set ACCOUNT_SID and AUTH_TOKEN as `parlour serve` printed them, or name "
            "--account-sid and --auth-token, or the --ready-file of the server"
        )
    return ServerClient(url or ready.get("url") or DEFAULT_URL, login, secret)


def _read_ready_file(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from error
    return content


def as_line(row: Any) -> str:
    """Return the JSON of a row, in one line."""
    return json.dumps(row, ensure_ascii=False)
