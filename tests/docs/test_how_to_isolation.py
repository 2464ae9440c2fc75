"""The requests in the how-to about isolation are valid, and it names all of their parameters."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from parlour.operations.parameters import wire_names
from parlour.testmode.accounts.parameters import CreateTestAccount
from parlour.testmode.reset.parameters import CreateReset
from parlour.testmode.snapshots.parameters import CreateSnapshot
from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from parlour.operations.parameters import Parameters

PAGE = REPOSITORY / "docs" / "how-to" / "isolate-tests.md"
PARAMETERS: dict[str, type[Parameters]] = {
    "Accounts": CreateTestAccount,
    "Reset": CreateReset,
    "Snapshots": CreateSnapshot,
}


def test_each_request_of_the_page_is_valid() -> None:
    commands = re.findall(r"^post (\w+)((?: -d .*)?)$", PAGE.read_text(), re.MULTILINE)

    for name, rest in commands:
        words = shlex.split(rest)
        pairs = [value.split("=", 1) for value in words[1::2]]
        PARAMETERS[name].parse({key: [value] for key, value in pairs})
    assert {name for name, _ in commands} == PARAMETERS.keys()


def test_the_page_names_each_parameter() -> None:
    text = PAGE.read_text()

    for parameters in PARAMETERS.values():
        for name, _, _ in wire_names(parameters):
            assert re.search(rf"\b{name}\b", text), name
