"""A server in test mode in this process, whose requests take the way of HTTP without a socket."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from parlour.app import App, open_app
from parlour.config import (
    TEST_ACCOUNT_SID,
    TEST_API_KEY_SECRET,
    TEST_API_KEY_SID,
    TEST_AUTH_TOKEN,
    Settings,
)
from tests.support.in_process_requests import send_request
from tests.support.migrated_database import place_migrated_database

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

Rest = dict[str, Any]


@dataclass(frozen=True)
class RestResponse:
    """The status and the JSON of a response."""

    status: int
    json: Any

    def expect(self, status: int) -> Any:
        """Return the JSON of a response with this status."""
        assert self.status == status, (self.status, self.json)
        return self.json


class RestServer:
    """A running server in test mode, without sockets."""

    def __init__(self, data: Path, **settings: Any) -> None:
        place_migrated_database(data)
        self._settings = Settings(
            data=data,
            test=True,
            account_sid=TEST_ACCOUNT_SID,
            auth_token=TEST_AUTH_TOKEN,
            api_key_sid=TEST_API_KEY_SID,
            api_key_secret=TEST_API_KEY_SECRET,
            **settings,
        )
        self.app: App

    async def __aenter__(self) -> Self:
        self.app = await open_app(self._settings)
        await self.app.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.app.stop()

    @property
    def test_mode(self) -> Any:
        """The test functions."""
        assert self.app.test_mode is not None
        return self.app.test_mode

    def first(self) -> RestAccount:
        """Return the account of the start."""
        return RestAccount(self, TEST_ACCOUNT_SID, TEST_AUTH_TOKEN)

    async def new_account(self, **form: str) -> RestAccount:
        """Create an account."""
        made = await self.first().post("/parlour/v1/Accounts", **form)
        json = made.expect(201)
        return RestAccount(self, json["sid"], json["auth_token"], json)

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""
        return await self.app.store.read(lambda tx: tx.all(sql))


@dataclass(frozen=True)
class RestAccount:
    """An account, or another login of it, and its requests."""

    server: RestServer
    login: str
    secret: str
    json: Any = None

    async def send(self, method: str, path: str, form: Rest | None = None) -> RestResponse:
        """Return the response to one request."""
        credentials = base64.b64encode(f"{self.login}:{self.secret}".encode())
        headers = {
            b"host": b"127.0.0.1",
            b"authorization": b"Basic " + credentials,
            b"content-type": b"application/x-www-form-urlencoded",
            b"x-twilio-webhook-enabled": b"true",
        }
        body = urlencode(form or {}, doseq=True).encode()
        found = await send_request(self.server.app.server, method, path, headers, body)
        return RestResponse(found.status, msgspec.json.decode(found.body) if found.body else None)

    async def post(self, path: str, **form: Any) -> RestResponse:
        """Return the response to a POST; dots of names are written as two underscores."""
        named = {name.replace("__", "."): value for name, value in form.items()}
        return await self.send("POST", path, named)

    async def get(self, path: str) -> RestResponse:
        """Return the response to a GET."""
        return await self.send("GET", path)

    async def delete(self, path: str) -> RestResponse:
        """Return the response to a DELETE."""
        return await self.send("DELETE", path)

    async def make(self, path: str, **form: Any) -> Any:
        """Create a resource; return it."""
        return (await self.post(path, **form)).expect(201)


def in_server(data: Path, scene: Any, **settings: Any) -> None:
    """Run a scene in a separate server."""

    async def run() -> None:
        async with asyncio.timeout(60), RestServer(data, **settings) as server:
            await scene(server)

    asyncio.run(run())
