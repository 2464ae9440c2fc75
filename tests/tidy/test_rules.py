"""The code follows the rules; each rule distinguishes its samples; each skip has its reason."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.tidy import (
    rules_of_change,
    rules_of_code,
    rules_of_dates,
    rules_of_language,
    rules_of_names,
    rules_of_sql,
    rules_of_tests,
)
from tests.tidy.sources import Rule, Skip, Sources, judge

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

    from tests.tidy.sources import RuleResult

MODULES = (
    rules_of_sql,
    rules_of_change,
    rules_of_code,
    rules_of_dates,
    rules_of_language,
    rules_of_names,
    rules_of_tests,
)
# ``test_language.py`` judges the words of prose: there are files in which some of them may remain.
RATCHETED = frozenset({"standard-terms"})
RULES: tuple[Rule, ...] = tuple(
    rule for module in MODULES for rule in module.RULES if rule.name not in RATCHETED
)
NAMES = {rule.name for rule in RULES}
ALL_FOLDERS = ("src", "tests", "bench", "tools", "testkit")

pytestmark = pytest.mark.xdist_group("tidy")  # The files are parsed once.

each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


@cache
def of_repository(name: str) -> RuleResult:
    """Return the findings of a rule in the repository's own code."""
    rule = next(each for each in RULES if each.name == name)
    return judge(rule, Sources.below(*rule.folders))


def _samples(side: str) -> list[ParameterSet]:
    return [
        pytest.param(rule, sample, id=f"{rule.name}-{number}")
        for rule in RULES
        for number, sample in enumerate(getattr(rule, side))
    ]


def test_every_module_of_rules_is_judged() -> None:
    files = {path.stem for path in Path(__file__).parent.glob("rules_of_*.py")}

    assert files == {module.__name__.rpartition(".")[2] for module in MODULES}


def test_no_two_rules_have_one_name() -> None:
    assert len(NAMES) == len(RULES)


@pytest.mark.parametrize(("rule", "sample"), _samples("valid"))
def test_a_rule_accepts_correct_code(rule: Rule, sample: dict[str, str]) -> None:
    assert judge(rule, Sources.of(sample)).findings == []


@pytest.mark.parametrize(("rule", "sample"), _samples("invalid"))
def test_a_rule_flags_incorrect_code(rule: Rule, sample: dict[str, str]) -> None:
    assert judge(rule, Sources.of(sample)).findings != []


@each_rule
def test_the_code_keeps_the_rule(rule: Rule) -> None:
    findings = of_repository(rule.name).findings

    assert not findings, "\n" + "\n".join(
        f"{each.path}:{each.line}: {rule.name}: {each.text}" for each in findings
    )


def _skips() -> list[Skip]:
    return [skip for source in Sources.below(*ALL_FOLDERS) for skip in source.skips]


def test_every_skip_names_a_rule_and_a_reason() -> None:
    wrong = [skip for skip in _skips() if skip.rule not in NAMES or not skip.reason]

    assert wrong == []


def test_every_skip_is_needed() -> None:
    used = {skip for name in NAMES for skip in of_repository(name).used}

    assert [skip for skip in _skips() if skip not in used] == []


LOOP = "while True:  # tidy: bounded{}\n    step()"


def test_a_skip_with_a_reason_removes_its_finding() -> None:
    rule = next(rule for rule in RULES if rule.name == "bounded")
    sources = Sources.of({"a.py": LOOP.format(" - the process ends it")})

    verdict = judge(rule, sources)

    assert verdict.findings == []
    assert [skip.reason for skip in verdict.used] == ["the process ends it"]


@pytest.mark.parametrize("rest", ["", " - ", " the process ends it"])
def test_a_skip_without_a_reason_removes_nothing(rest: str) -> None:
    rule = next(rule for rule in RULES if rule.name == "bounded")

    assert judge(rule, Sources.of({"a.py": LOOP.format(rest)})).findings != []


def test_a_skip_on_a_separate_line_applies_to_the_next_code() -> None:
    text = "# tidy: bounded - the process ends it\n# And more.\nwhile True:\n    step()"
    rule = next(rule for rule in RULES if rule.name == "bounded")

    assert judge(rule, Sources.of({"a.py": text})).findings == []


# No account in front, each with its reason.
KEYS_WITHOUT_ACCOUNT = {
    "console_audit": "read in the order of calls, over all accounts, by operators",
    "console_session": "found by the token of a cookie, before its account is known",
    "console_ticket": "found by its secret, as above",
    "login": "found by the name that a request shows, before its account is known",
    "event": "read in the order of commits, over all accounts, by what delivers",
    "submission_part": "found by the identifier that a carrier's report names, without an account",
}


def test_the_key_of_every_tenant_table_begins_with_the_account() -> None:
    keyed = {
        name
        for name, columns in rules_of_sql.tenant_tables().items()
        if re.search(r"PRIMARY KEY \(account_sid\b", columns)
        or re.search(r"\baccount_sid TEXT NOT NULL PRIMARY KEY", columns)
    }

    assert set(rules_of_sql.tenant_tables()) - keyed == set(KEYS_WITHOUT_ACCOUNT)
