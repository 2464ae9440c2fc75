"""Seeded randomness repeats, and its secrets do not."""

from __future__ import annotations

from parlour.testmode.seeded_random import SeededRandom
from parlour.vocabulary import sids
from parlour.vocabulary.clock import SystemRandom


def _taken(random: SeededRandom) -> list[object]:
    return [random.sid("CH"), random.sid("CH"), random.sid("IM"), random.fraction()]


def test_the_same_seed_repeats_and_another_one_differs() -> None:
    first = _taken(SeededRandom(7, SystemRandom()))

    assert _taken(SeededRandom(7, SystemRandom())) == first
    assert set(_taken(SeededRandom(8, SystemRandom()))).isdisjoint(first)
    assert len(set(first)) == len(first)


def test_a_restart_begins_all_sequences_again() -> None:
    random = SeededRandom(7, SystemRandom())
    first = _taken(random)
    random.restart(7)

    assert _taken(random) == first


def test_sids_of_one_prefix_do_not_depend_on_those_of_another() -> None:
    busy = SeededRandom(7, SystemRandom())
    for _ in range(3):
        busy.sid("RQ")

    assert busy.sid("CH") == SeededRandom(7, SystemRandom()).sid("CH")
    assert sids.is_sid("CH", busy.sid("CH"))


def test_fractions_are_in_the_unit_interval_and_spread() -> None:
    random = SeededRandom(7, SystemRandom())
    found = [random.fraction() for _ in range(500)]

    assert all(0 <= each < 1 for each in found)
    assert {int(each * 4) for each in found} == {0, 1, 2, 3}


def test_tokens_are_unpredictable_also_with_a_seed() -> None:
    one, other = SeededRandom(7, SystemRandom()), SeededRandom(7, SystemRandom())

    assert one.token(16) != other.token(16)
