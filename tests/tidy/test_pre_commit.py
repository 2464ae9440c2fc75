"""``.pre-commit-config.yaml`` runs the same checks as ``make check``, with local tools alone."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import yaml

from tests.tidy.sources import REPOSITORY

CONFIG = (REPOSITORY / ".pre-commit-config.yaml").read_text()
HOOKS: list[dict[str, Any]] = [
    hook for repository in yaml.safe_load(CONFIG)["repos"] for hook in repository["hooks"]
]
# Files may be chosen by the hook: `make check` names none, or all of them.
CHOICES = {"--force-exclude", "."}

each_hook = pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])


def commands_of_check() -> list[list[str]]:
    """Return the commands of the Makefile's target ``check``."""
    makefile = (REPOSITORY / "Makefile").read_text()
    found = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert found, "the Makefile has no target check"
    recipe = re.split(r"[;\n&]", found[1])
    return [shlex.split(part) for part in recipe if part.strip().startswith("$(BIN)/")]


def essential(command: list[str]) -> list[str]:
    return [part for part in command if part not in CHOICES]


def test_every_repository_is_local() -> None:
    repositories = [each["repo"] for each in yaml.safe_load(CONFIG)["repos"]]

    assert set(repositories) == {"local"}
    assert "://" not in CONFIG


@each_hook
def test_a_hook_installs_nothing(hook: dict[str, Any]) -> None:
    assert hook["language"] == "system"
    assert "additional_dependencies" not in hook


@each_hook
def test_a_hook_starts_a_tool_of_the_virtual_environment(hook: dict[str, Any]) -> None:
    tool = shlex.split(hook["entry"])[0]

    assert tool.startswith(".venv/bin/")
    assert (REPOSITORY / tool).exists(), f"{tool} is missing: run `make check` once"


def test_the_hooks_are_the_commands_of_make_check() -> None:
    hooks = [essential(shlex.split(hook["entry"])) for hook in HOOKS]
    makefile = [
        essential([part.replace("$(BIN)", ".venv/bin") for part in command])
        for command in commands_of_check()
    ]

    assert sorted(hooks) == sorted(makefile)
