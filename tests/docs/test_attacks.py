"""The attacks page names every attack test."""

from __future__ import annotations

from collections import Counter

from tests.docs.attacks import ATTACKERS, KINDS, PAGE, attacks, page


def test_each_attack_test_names_its_kinds_and_its_attacker() -> None:
    for each in attacks():
        assert each.kinds, f"{each.test} has no @pytest.mark.kind"
        assert set(each.kinds) <= KINDS.keys(), each
        assert each.by in ATTACKERS, each


def test_each_kind_is_shown_by_several_attacks() -> None:
    shown = Counter(kind for each in attacks() for kind in each.kinds)
    assert all(shown[kind] >= 3 for kind in KINDS), shown


def test_page_has_the_current_tables() -> None:
    assert page(PAGE.read_text()) == PAGE.read_text(), "run `make docs`"
