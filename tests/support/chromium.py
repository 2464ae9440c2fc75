"""Chromium for tests, from the packages of the client SDK's tests."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.nodejs import install_packages, node_command
from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGES = REPOSITORY / "tests" / "contract" / "realtime"
_UNPACK = 'import { unpacked } from "./chromium.mjs"; console.log(unpacked());'
_SECONDS_MAX = 120
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage"
).split()


def chromium() -> tuple[str, dict[str, str]]:
    """The path of Chromium's program, and the environment that it needs.

    It is unpacked at the first use. Tests that use it are of the group `sdk-browser`, so that two
    processes do not unpack it at the same time.
    """
    install_packages(_PACKAGES)
    done = subprocess.run(
        [*node_command(), "--input-type=module", "-e", _UNPACK],
        cwd=_PACKAGES,
        check=True,
        capture_output=True,
        text=True,
        timeout=_SECONDS_MAX,
    )
    folder = Path(done.stdout.strip())
    libraries = [str(folder / "al2023" / "lib"), os.environ.get("LD_LIBRARY_PATH", "")]
    own = {
        "LD_LIBRARY_PATH": ":".join(filter(None, libraries)),
        "FONTCONFIG_PATH": str(folder / "fonts"),
    }
    return str(folder / "chromium"), dict(os.environ) | own


@contextmanager
def browser_at(url: str, folder: Path, local_names: str = "") -> Iterator[None]:
    """A browser that opens a page, with its profile in a folder.

    It resolves no names and reaches no addresses, except for this machine, and for the pattern of
    names that are names of this machine for it: `*.example.net`.
    """
    program, environment = chromium()
    local = f"MAP {local_names} 127.0.0.1, " if local_names else ""
    resolver = f"--host-resolver-rules={local}MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    process = subprocess.Popen(
        [program, *_FLAGS, resolver, f"--user-data-dir={folder}", url],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_SECONDS_MAX)
