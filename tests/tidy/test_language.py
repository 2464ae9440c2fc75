"""The prose uses the terms of the field: ``tools/words.py`` lists the words that it avoids."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.tidy.rules_of_language import RULES, avoided
from tests.tidy.sources import Sources, judge
from tools import prose, ratchet, words
from tools.ratchet import Allowed, CountChange

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("tidy")  # The files are parsed once.

RULE = RULES[0]
SHOWN_MAX = 10


@cache
def counts() -> dict[str, int]:
    return ratchet.counts_now()


@cache
def allowed() -> Allowed:
    return ratchet.parse(ratchet.LIST.read_text())


def explained(changes: Iterable[CountChange]) -> str:
    """Return a message with the words of each file and their replacements."""
    rows = []
    for change in changes:
        rows.append(f"{change.path}: {change.found} avoided words, {change.allowed} allowed")
        passages = prose.passages(ratchet.REPOSITORY / change.path)
        findings = list(avoided(change.path, passages))
        rows += [f"  line {each.line}: {each.text}" for each in findings[:SHOWN_MAX]]
    return "\n" + "\n".join([*rows, "all of a file: python -m tools.measure --words FILE"])


def test_no_file_has_more_avoided_words_than_allowed() -> None:
    changes = ratchet.raised(allowed(), counts())

    assert not changes, explained(changes)


def test_the_list_of_a_closed_ratchet_is_tight() -> None:
    changes = ratchet.lowered(allowed(), counts())

    assert not changes, f"run `python -m tools.ratchet`: {changes}"


def test_the_list_is_as_its_command_writes_it() -> None:
    assert ratchet.LIST.read_text() == ratchet.written(allowed())


@pytest.mark.parametrize("sample", RULE.valid)
def test_a_standard_text_is_accepted(sample: dict[str, str]) -> None:
    assert judge(RULE, Sources.of(sample)).findings == []


@pytest.mark.parametrize("sample", RULE.invalid)
def test_an_avoided_word_is_found_and_a_replacement_suggested(sample: dict[str, str]) -> None:
    findings = judge(RULE, Sources.of(sample)).findings

    assert findings
    assert all(": write " in each.text for each in findings)


def test_a_finding_names_the_line_of_the_word() -> None:
    sample = {"a.py": 'x = 1\n"""First.\n\nThen nobody.\n"""\n'}

    assert [each.line for each in judge(RULE, Sources.of(sample)).findings] == [4]


SQL = """\
-- Whoever is told.
CREATE TABLE said (
    name TEXT DEFAULT '-- nobody''s', -- Is `news` kept?
    "--people" TEXT
);
"""


def test_the_prose_of_an_sql_file_is_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "0001_pre_initial.sql"
    path.write_text(SQL)

    passages = prose.passages(path)

    assert [each.line for each in passages] == [1, 3]
    assert [each.text for each in passages] == ["Whoever is told.", f"Is {'':6} kept?"]
    assert ratchet.count_of(passages) == 3


def test_migrations_are_counted_and_have_no_avoided_word() -> None:
    found = {name: count for name, count in counts().items() if name.endswith(".sql")}

    assert len(found) >= 12
    assert set(found.values()) == {0}


BEFORE = {"a.py": 3, "b.py": 2}
OPEN = Allowed(is_open=True, counts=BEFORE)
CLOSED = Allowed(is_open=False, counts=BEFORE)


@pytest.mark.parametrize(
    ("now", "raised"),
    [
        (BEFORE, []),
        ({"a.py": 2, "b.py": 2}, []),
        ({"a.py": 4, "b.py": 1}, [CountChange("a.py", 4, 3)]),
        ({"moved.py": 3, "b.py": 2}, [CountChange("moved.py", 3, 0)]),
    ],
)
def test_a_closed_list_holds_each_file(now: dict[str, int], raised: list[CountChange]) -> None:
    assert ratchet.raised(CLOSED, now) == raised


@pytest.mark.parametrize(
    ("now", "raised"),
    [
        ({"a.py": 4, "b.py": 1}, []),
        ({"moved.py": 3, "b.py": 2}, []),
        ({"moved.py": 3, "b.py": 3}, [CountChange("b.py", 3, 2), CountChange("moved.py", 3, 0)]),
    ],
)
def test_an_open_list_holds_the_sum(now: dict[str, int], raised: list[CountChange]) -> None:
    assert ratchet.raised(OPEN, now) == raised


def test_a_closed_list_demands_a_lower_number_and_an_open_one_does_not() -> None:
    assert ratchet.lowered(CLOSED, {"a.py": 3, "b.py": 1}) == [CountChange("b.py", 1, 2)]
    assert ratchet.lowered(CLOSED, {"a.py": 3}) == [CountChange("b.py", 0, 2)]
    assert ratchet.lowered(OPEN, {"a.py": 3}) == []


def test_the_command_closes_the_list_and_refuses_higher_numbers() -> None:
    now = {"moved.py": 3, "b.py": 1}

    assert ratchet.tightened(OPEN, now, stay_open=False) == Allowed(is_open=False, counts=now)
    assert ratchet.tightened(CLOSED, now, stay_open=True) == Allowed(is_open=True, counts=now)
    for before, stay_open in ((OPEN, False), (CLOSED, False), (CLOSED, True)):
        with pytest.raises(ValueError, match=r"a.py: 6 \(\d allowed\)"):
            ratchet.tightened(before, {"a.py": 6}, stay_open=stay_open)
    with pytest.raises(ValueError, match=r"moved.py: 3 \(0 allowed\)"):
        ratchet.tightened(CLOSED, now, stay_open=False)


def test_a_written_list_is_read_back_and_sorted_without_zeros() -> None:
    text = ratchet.written(Allowed(is_open=True, counts={"b.py": 2, "a.py": 1, "c.py": 0}))

    assert text.splitlines()[1:] == ["a.py 1", "b.py 2"]
    assert ratchet.parse(text) == Allowed(is_open=True, counts={"a.py": 1, "b.py": 2})


def test_the_lists_have_enough_entries_and_no_name_twice() -> None:
    names = [each.name for each in words.AVOIDED]
    terms = [each.name for each in words.STANDARD]

    assert len(set(names)) == len(names) >= 45
    assert len(set(terms)) == len(terms) >= 45


@pytest.mark.parametrize("entry", words.AVOIDED, ids=lambda each: each.name)
def test_an_avoided_word_has_a_replacement_that_is_not_avoided(entry: words.Avoided) -> None:
    assert entry.instead
    assert words.avoided_in(entry.instead) == []


def test_forms_of_a_standard_term_are_counted_and_parts_of_words_are_not() -> None:
    text = "Cached results expire; the retry of a cursory writer is rolled back."

    assert words.standard_in(text) == {"cache": 1, "expire": 1, "retry": 1, "rollback": 1}


def test_no_avoided_word_is_a_standard_term() -> None:
    for entry in words.STANDARD:
        assert not words.avoided_in(re.sub(r"\W+", " ", entry.name))
