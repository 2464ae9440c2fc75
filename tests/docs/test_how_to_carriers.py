"""The carriers files in the how-to pages are valid, and their options the ones that exist."""

from __future__ import annotations

import re
from typing import Any

import pytest

from parlour.channels.carriers_file import read_carriers_file
from tests.carriers.http_carrier_setup import make_context
from tests.tidy.sources import REPOSITORY

HOW_TO = REPOSITORY / "docs" / "how-to"
PAGES = ["connect-an-http-provider.md", "connect-email.md", "connect-kannel.md"]
_TOML = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ENVIRONMENT = re.compile(r'env = "(\w+)"')
_FILE = re.compile(r'file = "([\w-]+)"')
_OPTION_ROW = re.compile(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", re.MULTILINE)


@pytest.mark.parametrize("page", [*PAGES, "connect-a-carrier.md"])
def test_the_files_of_a_page_make_carriers(page: str, tmp_path: Any) -> None:
    texts = _TOML.findall((HOW_TO / page).read_text())
    assert texts
    for text in texts:
        path = tmp_path / "carriers.toml"
        path.write_text(text)
        for name in _FILE.findall(text):
            (tmp_path / name).write_text("secret\n")
        environment = dict.fromkeys(_ENVIRONMENT.findall(text), "a-secret-of-32-characters-length")

        read = read_carriers_file(path, environment)

        no_egress: Any = None
        configured = [each for name, each in read.carriers.items() if name != "virtual"]
        assert configured
        for each in configured:
            each.make(make_context(no_egress))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_lists_each_option(page: str, tmp_path: Any) -> None:
    text = (HOW_TO / page).read_text()
    path = tmp_path / "carriers.toml"
    first = _TOML.findall(text)[0]
    path.write_text(first)
    environment = dict.fromkeys(_ENVIRONMENT.findall(first), "a-secret-of-32-characters-length")
    [configured] = [
        each
        for name, each in read_carriers_file(path, environment).carriers.items()
        if name != "virtual"
    ]
    options = {name for row in _OPTION_ROW.findall(text) for name in re.findall(r"\w+", row)}

    assert options >= set(type(configured.options).__struct_fields__)
