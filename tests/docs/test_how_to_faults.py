"""The faults in the how-to are valid, and its tables have every parameter."""

from __future__ import annotations

import itertools
import re
import shlex

from parlour.operations.parameters import wire_names
from parlour.testmode.emulation.parameters import UpdateEmulation
from parlour.testmode.faults.checks import checked_rule
from parlour.testmode.faults.fault import TARGETS
from parlour.testmode.faults.parameters import CreateFault
from tests.support.server import REPOSITORY

PAGE = REPOSITORY / "docs" / "how-to" / "break-things-on-purpose.md"
FORM_OPTIONS = {"-d", "--data-urlencode"}


def _forms(begin: str) -> list[dict[str, list[str]]]:
    """Return the form of each command of the page that begins so."""
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    found = []
    for line in re.findall(rf"^{begin} (.*)$", text, re.MULTILINE):
        words = shlex.split(line)
        pairs = [
            value.split("=", 1)
            for option, value in itertools.pairwise(words)
            if option in FORM_OPTIONS
        ]
        found.append({name: [value] for name, value in pairs})
    return found


def test_each_fault_of_the_page_is_valid() -> None:
    rules = [checked_rule(CreateFault.parse(form)) for form in _forms("fault")]

    assert {rule.target for rule in rules} == set(TARGETS)


def test_the_emulation_of_the_page_is_valid() -> None:
    (form,) = _forms("curl -s -u")

    assert UpdateEmulation.parse(form).given() == {
        "actions_per_second": 30,
        "unknown_parameters": "refuse",
        "latency_ms": 120,
    }


def test_the_page_has_every_parameter() -> None:
    text = PAGE.read_text(encoding="utf-8")
    names = [name for each in (CreateFault, UpdateEmulation) for name, *_ in wire_names(each)]

    assert [name for name in names if not re.search(rf"`{name}\b|-d {name}=", text)] == []
