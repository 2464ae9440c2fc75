"""The build hook: brings the console's third-party modules into the package."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from types import ModuleType

SKIP_VARIABLE = "PARLOUR_BUILD_CONSOLE"
"""``no`` builds without npm; the package then has only the modules that are built already."""


class ConsoleBuildHook(BuildHookInterface[BuilderConfig]):
    """Builds the modules, also for an editable installation; without npm the build continues."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Return the requirement of Node.js, if this build needs it."""
        if os.environ.get(SKIP_VARIABLE) == "no":
            return []
        requirements: list[str] = _vendor(self.root).build_requirements(Path(self.root))
        return requirements

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the modules before the files of the package are collected."""
        if os.environ.get(SKIP_VARIABLE) == "no":
            return
        vendor = _vendor(self.root)
        try:
            vendor.install(Path(self.root))
        except vendor.VendorError as error:
            sys.stderr.write(f"Built without the console: {error}\n")


def _vendor(root: str) -> ModuleType:
    """Return the module that builds; a build has no import path to this folder."""
    path = Path(root) / "tools" / "console_vendor.py"
    spec = importlib.util.spec_from_file_location("console_vendor", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
