"""Each decision and each scenario of the channels has a test, and the page names it."""

from __future__ import annotations

import pytest

from tests.docs.channel_decisions import DECISIONS, PAGE, SCENARIOS, marks, marks_of, page, rows


def test_the_page_has_each_decision_and_each_scenario_once() -> None:
    found = rows(PAGE.read_text())
    assert len(found) == len(set(found))
    assert tuple(each for each in found if each.startswith("C")) == DECISIONS
    scenarios = [each.partition(".")[0] for each in found if not each.startswith("C")]
    assert tuple(dict.fromkeys(scenarios)) == SCENARIOS


def test_each_row_has_a_test() -> None:
    missing = [each for each in rows(PAGE.read_text()) if not marks().get(each)]
    assert not missing, f"mark a test with pytest.mark.channel, see {PAGE.name}: {missing}"


def test_each_mark_names_a_row() -> None:
    unknown = marks().keys() - set(rows(PAGE.read_text()))
    assert not unknown, unknown


def test_page_names_the_current_tests() -> None:
    assert page(PAGE.read_text(), marks()) == PAGE.read_text(), "run `make docs`"


def test_marks_are_read_from_the_source_of_tests() -> None:
    text = "@pytest.mark.channel('C1', '11.2')\ndef test_it(): ...\ndef test_other(): ...\n"
    assert list(marks_of("t.py", text)) == [("C1", "t.py::test_it"), ("11.2", "t.py::test_it")]
    with pytest.raises(ValueError, match="helper is no test"):
        list(marks_of("t.py", "@pytest.mark.channel('C1')\ndef helper(): ...\n"))


def test_a_row_without_a_mark_has_an_empty_cell() -> None:
    text = "| id | decision | tests |\n|---|---|---|\n| C1 | words | `gone` |\n| 11.2 | more | |\n"
    assert page(text, {"11.2": ["a.py::test_a", "b.py::test_b"]}) == (
        "| id | decision | tests |\n|---|---|---|\n| C1 | words |  |\n"
        "| 11.2 | more | `a.py::test_a`<br>`b.py::test_b` |\n"
    )
