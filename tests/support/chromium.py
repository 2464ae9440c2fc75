"""Chromium for tests, from the packages of the client SDK's tests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.nodejs import install_packages, node_command
from tests.support.server import REPOSITORY

_PACKAGES = REPOSITORY / "tests" / "contract" / "realtime"
_UNPACK = 'import { unpacked } from "./chromium.mjs"; console.log(unpacked());'
_SECONDS_MAX = 120
# The package's configuration names other folders. Without fonts, a text field ends the browser.
_FONTS = """<?xml version="1.0"?>
<fontconfig>
  <dir>{folder}/fonts/fonts</dir>
  <cachedir>{folder}/font-cache</cachedir>
</fontconfig>
"""


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
        "FONTCONFIG_FILE": str(_font_configuration(folder)),
    }
    return str(folder / "chromium"), dict(os.environ) | own


def _font_configuration(folder: Path) -> Path:
    """Write the configuration that finds the unpacked fonts; return its path."""
    path = folder / "fonts.conf"
    if not path.exists():
        path.write_text(_FONTS.format(folder=folder))
    return path
