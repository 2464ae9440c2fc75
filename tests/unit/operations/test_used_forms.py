"""The part of a form that a call retains while it waits for a webhook."""

from __future__ import annotations

from typing import Any

import pytest

from parlour.operations.parameters import Parameters, form_field
from parlour.vocabulary.errors import ApiError


def text(name: str, value: str) -> str:
    """Any text."""
    del name
    return value


class Some(Parameters):
    """One value, and a list."""

    one: Any = form_field("One", text, required=True)
    each: Any = form_field("Each", text, repeated=True)


LONG = "x" * 10_000


@pytest.mark.parametrize(
    "form",
    [
        {"One": ["a"]},
        {"One": [LONG, "a"], "Each": ["b", "c"], "Other": [LONG]},
        {"One": [LONG, ""]},
        {"One": ["", LONG, ""], "Each": [""]},
        {"One": ["", ""]},
        {"Each": ["a"], LONG: [""]},
    ],
)
def test_the_used_part_of_a_form_parses_equally_and_contains_nothing_else(
    form: dict[str, list[str]],
) -> None:
    counted = Some.used_part(form)
    assert sum(len(name) + sum(map(len, texts)) for name, texts in counted.items()) < 20
    assert result(counted) == result(form)


def result(form: dict[str, list[str]]) -> Some | str:
    """What a form is parsed to, or the error that it is rejected with."""
    try:
        return Some.parse(form)
    except ApiError as error:
        return str(error.body())
