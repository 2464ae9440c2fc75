"""A wheel in another environment, on a machine without Node.js, serves the console."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import sysconfig
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.console.node_tools import STATIC
from tests.support.polling import eventually
from tests.support.server import REPOSITORY, START_SECONDS_MAX, STOP_SECONDS_MAX
from tests.support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

INSTALL_SECONDS_MAX = 240
PACKED = "parlour/console/static/"


class InstalledWheel(NamedTuple):
    """The wheel, and the environment that it is installed into."""

    wheel: Path
    environment: Path

    def file(self, name: str) -> bytes:
        """Return a file of the console from the wheel."""
        with zipfile.ZipFile(self.wheel) as archive:
            return archive.read(PACKED + name)


class FetchedFile(NamedTuple):
    """A response of the server."""

    status: int
    media_type: str
    content: bytes


def _install(folder: Path, *, with_dependencies: bool) -> InstalledWheel:
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    wheel = build_wheel(folder)

    def pip(*arguments: str) -> None:
        command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
        subprocess.run([*command, *arguments], check=True, timeout=INSTALL_SECONDS_MAX)

    pip("--no-index", "--no-deps", str(wheel))
    if with_dependencies:
        pip("--require-hashes", "--requirement", str(REPOSITORY / "requirements.txt"))
    else:
        (site,) = environment.glob("lib/python*/site-packages")
        (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return InstalledWheel(wheel, environment)


@pytest.fixture(
    scope="module",
    params=["shared-libraries", pytest.param("all-installed", marks=pytest.mark.gate)],
)
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, vendor: Path
) -> InstalledWheel:
    """Return the wheel in an environment without this source; in the gate without our libraries."""
    assert vendor.is_dir()
    folder = tmp_path_factory.mktemp("installed")
    return _install(folder, with_dependencies=request.param == "all-installed")


@contextmanager
def running(installed: InstalledWheel, folder: Path, *options: str) -> Iterator[str]:
    """Run the server without any program on its path; yield the address."""
    ready = folder / "ready.json"
    command = [str(installed.environment / "bin" / "parlour"), "serve", "--port", "0"]
    paths = ["--data", str(folder / "data"), "--ready-file", str(ready)]
    process = subprocess.Popen(
        [*command, *paths, *options],
        cwd=folder,
        env={"PATH": "/nonexistent"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(
            lambda: ready.exists() or process.poll() is not None, bool, seconds=START_SECONDS_MAX
        )
        described: dict[str, Any] = json.loads(ready.read_text())
        yield str(described["url"])
    finally:
        process.terminate()
        process.wait(STOP_SECONDS_MAX)


def get(base_url: str, path: str) -> FetchedFile:
    """Send a GET request."""
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=30)
    connection.request("GET", path)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return FetchedFile(response.status, response.headers.get_content_type(), content)


def test_an_installed_wheel_serves_the_console_without_node(
    installed: InstalledWheel, tmp_path: Path
) -> None:
    with running(installed, tmp_path) as base_url:
        page = get(base_url, "/parlour/console/")
        assert (page.status, page.media_type) == (200, "text/html")
        named = re.findall(r'(?:href|src)="(/parlour/console/assets/[^"]+)"', page.content.decode())
        files = {path.split("/", 5)[5]: get(base_url, path) for path in named}

    assert {"app.js", "style.css", "vendor/preact.js", "vendor/htm.js"} <= files.keys()
    for name, file in files.items():
        assert file.status == 200, name
        assert file.content == installed.file(name) == (STATIC / name).read_bytes(), name


def test_an_installed_wheel_serves_no_console_if_it_is_off(
    installed: InstalledWheel, tmp_path: Path
) -> None:
    with running(installed, tmp_path, "--console", "off") as base_url:
        assert get(base_url, "/healthz").status == 200
        for path in ("/parlour/console/", "/parlour/console/session", "/parlour/console/assets/"):
            assert get(base_url, path).status == 404, path
