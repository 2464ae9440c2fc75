"""In a real browser, foreign pages are refused by a server in test mode; local pages do.

A page of the attacker's site asks the server by its address, and by a name of the attacker that
resolves to the server (DNS rebinding). Each page reports to its site what it could read.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.chromium import browser_at
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS_MAX = 60.0
NAMES = ("evil.example.net", "rebound.example.net")
LOGIN = (
    "Basic " + "QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDpwYXJsb3VyLXRlc3QtYXV0aC10b2tlbg=="
)
PAGE = """<!doctype html>
<script>
const port = %(server)d;
async function asked(address, headers) {
  try {
    const response = await fetch(`http://${address}:${port}/v1/Services`, { headers });
    return response.status;
  } catch (error) {
    return error.name;
  }
}
function socket(address) {
  return new Promise((resolve) => {
    const opened = new WebSocket(`ws://${address}:${port}/v3/wsconnect`);
    opened.onopen = () => resolve("open");
    opened.onerror = () => resolve("refused");
  });
}
async function report() {
  const found = {};
  for (const address of ["127.0.0.1", "rebound.example.net"]) {
    found[address] = {
      simple: await asked(address, {}),
      login: await asked(address, { Authorization: "%(login)s" }),
      socket: await socket(address),
    };
  }
  await fetch("/done", {
    method: "POST", body: JSON.stringify({ page: location.hostname, found }),
  });
}
report();
</script>
"""


class Pages:
    """A site of local and foreign names, and the reports of its pages by the name of each."""

    def __init__(self, server_port: int) -> None:
        """Serve it."""
        self.reports: dict[str, Any] = {}
        self.is_done = threading.Event()
        self._page = PAGE % {"server": server_port, "login": LOGIN}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        frames = "".join(
            f'<iframe src="http://{name}:{self._server.server_port}/framed"></iframe>'
            for name in NAMES
        )
        self._local = self._page + frames

    @property
    def url(self) -> str:
        """The local page, which has the foreign ones as frames."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write((site._local if self.path == "/" else site._page).encode())

            def do_POST(self) -> None:
                report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()
                site.reports[report["page"]] = report["found"]
                if len(site.reports) == 1 + len(NAMES):
                    site.is_done.set()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server in test mode."""
    environment = {"PARLOUR_ACCOUNT_SID": "", "PARLOUR_AUTH_TOKEN": "", "PARLOUR_DATABASE": ""}
    with Server(tmp_path / "data", environment, args=("--test",)) as running:
        yield running


@pytest.mark.xdist_group("sdk-browser")
@pytest.mark.timeout(180)
def test_foreign_pages_get_403_from_rest_and_from_the_socket(
    server: Server, tmp_path: Path
) -> None:
    pages = Pages(server.port)
    try:
        with browser_at(pages.url, tmp_path / "profile", "*.example.net"):
            assert pages.is_done.wait(SECONDS_MAX), pages.reports
    finally:
        pages.close()

    # A request with a login needs a preflight, which is refused; so its page sees no status.
    refused = {"simple": 403, "login": "TypeError", "socket": "refused"}
    served = {"simple": 401, "login": 200, "socket": "open"}
    assert pages.reports["127.0.0.1"] == {"127.0.0.1": served, "rebound.example.net": refused}
    for name in NAMES:
        assert pages.reports[name] == {"127.0.0.1": refused, "rebound.example.net": refused}
