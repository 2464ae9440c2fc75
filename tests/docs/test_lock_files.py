"""The lock of the server is complete on each supported Python, not only on the one that made it."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.server import REPOSITORY

pytestmark = pytest.mark.embedded

OLDEST_PYTHON = {"python_version": "3.11", "python_full_version": "3.11.0", "extra": ""}
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


def _requirements_of(name: str) -> list[Requirement]:
    """Return what a package needs; nothing if this Python does not need the package itself."""
    try:
        return [Requirement(each) for each in requires(name) or ()]
    except PackageNotFoundError:
        return []


def test_the_lock_of_the_server_is_complete_on_the_oldest_python() -> None:
    pinned = set(_PINNED.findall((REPOSITORY / "requirements.txt").read_text()))
    assert "redis" in pinned

    missing = {
        f"{requirement} of {name}"
        for name in pinned
        for requirement in _requirements_of(name)
        if requirement.marker is None or requirement.marker.evaluate(OLDEST_PYTHON)
        if canonicalize_name(requirement.name) not in pinned
    }

    assert missing == set()
