"""The page of the console in a browser, as the server sees it: its cookie and its headers."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.events.in_process_server import ACCOUNT_SID, AUTH_TOKEN, InProcessServer
from tests.support.cluster import KEY
from tests.support.in_process_api import FORM_TYPE, InProcessApi, InProcessResponse
from tests.support.in_process_requests import send_request
from tests.support.postgres_server import shared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from parlour.app import App

ROOT = "/parlour/console"
SESSION = f"{ROOT}/session"
OWN_PAGE = {b"sec-fetch-site": b"same-origin", b"parlour-console": b"1"}


class ConsolePage:
    """A browser with the page of a server in this process."""

    def __init__(self, app: App, *, peer: str = "127.0.0.1", host: bytes = b"localhost") -> None:
        self.app = app
        self.peer = peer
        self.headers = {**OWN_PAGE, b"host": host}
        self.cookie = b""

    async def send(
        self,
        method: str,
        path: str,
        form: dict[str, Any] | None = None,
        *,
        headers: dict[bytes, bytes | None] | None = None,
    ) -> InProcessResponse:
        """Send a request; ``headers`` replace headers of the page, None: the header is left out."""
        body = b"" if form is None else urlencode(form, doseq=True).encode()
        sent: dict[bytes, bytes | None] = {**self.headers, b"cookie": self.cookie or None}
        if form is not None:
            sent |= {b"content-type": FORM_TYPE, b"content-length": b"%d" % len(body)}
        sent |= headers or {}
        given = {name: value for name, value in sent.items() if value is not None}
        found = await send_request(self.app.server, method, path, given, body, peer=self.peer)
        for name, value in found.headers:
            if name == b"set-cookie":
                self.cookie = value.partition(b";")[0]
        return InProcessResponse(*found)

    async def sign_in(self, **form: str) -> Any:
        """Sign in; return the session."""
        return (await self.send("POST", SESSION, form)).expect(201)

    async def call(
        self,
        method: str,
        path: str,
        form: dict[str, Any] | None = None,
        *,
        account_sid: str = ACCOUNT_SID,
        headers: dict[bytes, bytes | None] | None = None,
    ) -> InProcessResponse:
        """Send a request for an operation."""
        return await self.send(method, f"{ROOT}/api/{account_sid}{path}", form, headers=headers)


async def signed_in(app: App) -> ConsolePage:
    """Return a page that is signed in as the account of the tests."""
    page = ConsolePage(app)
    await page.sign_in(Name=ACCOUNT_SID, Secret=AUTH_TOKEN)
    return page


def api_of(instance: InProcessServer) -> InProcessApi:
    """Return the API with the login of the account."""
    return InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)


def header(response: InProcessResponse, name: str) -> str | None:
    """Return a header of a response; None without it. It has no second one."""
    found = [value.decode() for key, value in response.headers if key == name.encode()]
    assert len(found) <= 1, (name, found)
    return found[0] if found else None


@asynccontextmanager
async def running(data: Path, **settings: Any) -> AsyncIterator[InProcessServer]:
    """Run a server."""
    async with asyncio.timeout(60), InProcessServer(data, **settings) as instance:
        yield instance


@asynccontextmanager
async def two_nodes(folder: Path) -> AsyncIterator[tuple[InProcessServer, InProcessServer]]:
    """Run two nodes with one database of PostgreSQL and one key."""
    database = shared().make_migrated_database()
    first, second = folder / "first", folder / "second"
    async with running(first, database=database) as one:
        second.mkdir()
        shutil.copy(first / KEY, second)
        async with running(second, database=database) as two:
            yield one, two


def run_scene(
    data: Path, scene: Callable[[InProcessServer], Awaitable[None]], **settings: Any
) -> None:
    """Run a scene on a separate server."""

    async def run() -> None:
        async with running(data, **settings) as instance:
            await scene(instance)

    asyncio.run(run())
