"""Builds the load clients, which are in C so that they are never the bottleneck."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from bench.processes import BUILD

if TYPE_CHECKING:
    from pathlib import Path


class CompilerError(Exception):
    """A load client could not be built."""


def compiled(source: Path) -> Path:
    """Return the executable of a source file, built if it is missing or older than its sources."""
    binary = BUILD / source.stem
    parts = [source, *source.parent.glob("*.h")]
    newest = max(part.stat().st_mtime_ns for part in parts)
    if binary.exists() and binary.stat().st_mtime_ns >= newest:
        return binary
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise CompilerError(f"a C compiler is needed to build {source.name}")
    BUILD.mkdir(parents=True, exist_ok=True)
    # Several processes may build at once: each writes its own file, the last rename wins.
    fresh = binary.with_name(f"{binary.name}.{os.getpid()}")
    command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(fresh), str(source), "-lm"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        raise CompilerError(outcome.stderr)
    fresh.replace(binary)
    return binary
