"""The packages that ``pip install parlour`` needs."""

from __future__ import annotations

import re
import tomllib

from tests.support.server import REPOSITORY

DIRECT_MAX = 17
# Libraries of single carriers are extras.
OF_CARRIERS = {"smpplib", "aiosmtplib", "aiosmtpd", "mail-parser-reply"}


def _name(requirement: str) -> str:
    found = re.match(r"[\w-]+", requirement)
    assert found, requirement
    return found[0]


def test_the_server_has_few_direct_dependencies() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    direct = {_name(each) for each in project["dependencies"]}
    extras = {
        _name(each) for name in ("smpp", "email") for each in project["optional-dependencies"][name]
    }
    assert len(direct) <= DIRECT_MAX
    assert not direct & OF_CARRIERS
    assert extras >= OF_CARRIERS
