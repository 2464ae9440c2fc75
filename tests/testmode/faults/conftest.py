"""A server in test mode for the tests of a module, and accounts on it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client import Api
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class FaultAccount:
    """An account of the server, with its faults."""

    server: Server
    sid: str
    token: str

    def __post_init__(self) -> None:
        self.api = Api(self.server.base_url, self.sid, self.token)

    def own(self, method: str, path: str, *, status: int = 200, **form: Any) -> Any:
        """Return the response of an operation below ``/parlour/v1``, or of a whole path."""
        root = self.server.base_url
        if path.startswith("/v1/"):
            path = root + path
        elif path.startswith("/"):
            path = f"{root}/parlour/v1{path}"
        more = {"form": form} if method == "POST" else {}
        return self.api.request(method, path, **more).expect(status)

    def fault(self, **form: Any) -> str:
        """Create a fault; return its SID."""
        return str(self.own("POST", "/Faults", status=201, **form)["sid"])

    def counters(self, sid: str) -> dict[str, Any]:
        """Return how often a fault matched and fired, and how often it will."""
        found = self.own("GET", f"/Faults/{sid}")
        return {name: found[name] for name in ("matched", "fired", "left")}

    @contextmanager
    def in_background(self, work: Callable[[], Any]) -> Iterator[Future[Any]]:
        """Run something in a thread while the block runs."""
        with ThreadPoolExecutor(1) as pool:
            yield pool.submit(work)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in test mode."""
    data = tmp_path_factory.mktemp("faults") / "data"
    with Server(data, {"PARLOUR_DATABASE": ""}, args=("--test",)) as running:
        yield running


@pytest.fixture(scope="module")
def account(server: Server) -> FaultAccount:
    """The first account."""
    return FaultAccount(server, server.account_sid, server.auth_token)


@pytest.fixture(scope="module")
def other(server: Server) -> FaultAccount:
    """Another account."""
    return FaultAccount(server, *server.make_account())
