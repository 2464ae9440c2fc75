"""A real browser is led to hostile files in every way a page can, and runs none of them."""

from __future__ import annotations

import signal
import subprocess
import threading
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.resources.media_setup import direct_url
from tests.resources.test_media_transfer import shelf_on
from tests.security.test_uploads import FILES, content_of, send
from tests.support.chromium import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.server import Server

SECONDS_MAX = 60.0
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage"
).split()
# Nothing but this machine has a name or an address.
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
HARMFUL = "alert(1)"
FORMS = (
    '<iframe src="{url}"></iframe>',
    '<object data="{url}"></object>',
    '<embed src="{url}">',
    '<img src="{url}">',
    '<script src="{url}"></script>',
    '<link rel="stylesheet" href="{url}">',
)
PAGE = """<!doctype html><script>
const received = [];
addEventListener("message", (event) => received.push(event.data));
addEventListener("load", () => setTimeout(() => fetch("/done", {
  method: "POST", body: received.join("\\n"),
}), 1500));
</script>
"""


def harm(who: str) -> str:
    """Return a script that notifies the page that it ran."""
    return f"top.postMessage(`{who}`,`*`)"


class Site:
    """A site with a page that links to files, two of which are its own and do run."""

    def __init__(self, urls: list[str]) -> None:
        """Serve it."""
        self.results: list[str] = []
        self.is_done = threading.Event()
        own = ("/own.html", "/own.js")
        shown = [form.format(url=escape(url)) for url in (*own, *urls) for form in FORMS]
        self.files = {
            "/": ("text/html", PAGE + "\n".join(shown)),
            own[0]: ("text/html", f"<script>{harm('own page')}</script>"),
            own[1]: ("text/javascript", harm("own script")),
        }
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, text = site.files.get(urlsplit(self.path).path, ("text/plain", ""))
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(text.encode())

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                site.results = self.rfile.read(length).decode().split("\n")
                self.send_response(204)
                self.end_headers()
                site.is_done.set()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler


@contextmanager
def browser_at(url: str, folder: Path) -> Iterator[None]:
    """A browser that opens a page."""
    program, environment = chromium()
    process = subprocess.Popen(
        [program, *FLAGS, NOWHERE, f"--user-data-dir={folder}", url],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS_MAX)


def ran(server: Server, folder: Path) -> set[str]:
    """Who of all files ran in a browser that was led to each of them."""
    media_client = shelf_on(server)
    urls = []
    for number, file in enumerate(FILES):
        content = content_of(file).replace(HARMFUL.encode(), harm(f"file {number}").encode())
        answer = send(media_client, file, content)
        if answer.status == 201 and "bomb" not in file.get("made", ""):
            urls.append(direct_url(answer.json))
    assert len(urls) > 50
    site = Site(urls)
    try:
        with browser_at(site.url, folder):
            assert site.is_done.wait(SECONDS_MAX), "the page was never loaded"
    finally:
        site.close()
    return set(site.results)


@pytest.mark.xdist_group("sdk-browser")
@pytest.mark.timeout(180)
def test_a_browser_runs_none_of_them(server: Server, tmp_path: Path) -> None:
    assert ran(server, tmp_path) == {"own page", "own script"}
