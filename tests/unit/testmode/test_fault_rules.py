"""Which fault acts on a call, and how often."""

from __future__ import annotations

import pytest

from parlour.testmode.faults.fault import CARRIER, REQUEST, SERVER, Fault, FaultRule
from parlour.testmode.faults.rules import FaultRules
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.errors import ApiError

ALICE, BOB = "AC" + "a" * 32, "AC" + "b" * 32


class ScriptedChance(SystemRandom):
    """A source of randomness whose fractions are given."""

    def __init__(self, *fractions: float) -> None:
        super().__init__()
        self.fractions = list(fractions)

    def fraction(self) -> float:
        """Return the next given number."""
        return self.fractions.pop(0)


def _rules(*fractions: float) -> FaultRules:
    return FaultRules(FakeClock(), ScriptedChance(*fractions))


def _rule(**more: object) -> FaultRule:
    return FaultRule(target=REQUEST, status=500, **more)  # type: ignore[arg-type]


def _take(rules: FaultRules, account_sid: str | None = ALICE) -> Fault | None:
    return rules.take(REQUEST, account_sid, lambda _rule: True)


def test_a_fault_leaves_the_first_calls_alone_then_acts_so_often() -> None:
    rules = _rules()
    fault = rules.create(ALICE, _rule(skip=2, times=3))

    taken = [_take(rules) is fault for _ in range(7)]

    assert taken == [False, False, True, True, True, False, False]
    assert (fault.matched, fault.fired, fault.left) == (5, 3, 0)
    assert not rules.has_armed(REQUEST)


def test_a_fault_without_a_limit_stays_armed() -> None:
    rules = _rules()
    fault = rules.create(ALICE, _rule(times=0))

    assert all(_take(rules) is fault for _ in range(5))
    assert fault.left is None
    assert rules.has_armed(REQUEST)
    assert not rules.has_armed(CARRIER)


def test_the_oldest_of_several_acts_until_it_is_spent() -> None:
    rules = _rules()
    faults = [rules.create(ALICE, _rule(times=2)) for _ in range(2)]

    assert [_take(rules) for _ in range(5)] == [faults[0]] * 2 + [faults[1]] * 2 + [None]


def test_a_call_that_the_chance_spares_is_for_the_next_fault() -> None:
    rules = _rules(0.9, 0.1)
    by_chance = rules.create(ALICE, _rule(times=0, probability=0.5))
    always = rules.create(ALICE, _rule(times=0))

    assert [_take(rules), _take(rules)] == [always, by_chance]
    assert (by_chance.matched, by_chance.fired) == (2, 1)


def test_a_fault_acts_in_its_account_and_one_of_the_server_in_all() -> None:
    rules = _rules()
    rules.create(ALICE, _rule(times=0))
    assert _take(rules, BOB) is None
    assert _take(rules, None) is None

    fault = rules.create(ALICE, _rule(times=0, scope=SERVER))
    assert _take(rules, BOB) is fault
    assert _take(rules, None) is fault


def test_hooks_change_with_the_first_armed_fault_and_the_last_spent_one() -> None:
    rules = _rules()
    seen: list[bool] = []
    rules.on_change = lambda: seen.append(rules.has_armed(REQUEST))

    first = rules.create(ALICE, _rule())
    rules.create(ALICE, _rule())
    _take(rules)
    _take(rules)
    assert seen == [True, False]

    rules.create(ALICE, _rule())
    rules.remove(first)
    rules.forget(None)
    assert seen == [True, False, True, False]


def test_a_reset_of_an_account_removes_only_its_faults() -> None:
    rules = _rules()
    rules.create(ALICE, _rule(scope=SERVER))
    other = rules.create(BOB, _rule())

    rules.forget(ALICE)

    assert rules.of_account(ALICE) == []
    assert _take(rules, BOB) is other


@pytest.mark.parametrize("account_sid", [ALICE, None])
def test_saved_faults_come_back_with_their_counters_and_their_order(
    account_sid: str | None,
) -> None:
    rules = _rules()
    older = rules.create(ALICE, _rule(times=2))
    rules.create(BOB, _rule(times=0, scope=SERVER))
    spent = rules.create(ALICE, _rule())
    _take(rules)
    rules.finish(spent)
    saved = rules.save(account_sid)
    _take(rules)

    rules.forget(account_sid)
    rules.restore(saved)

    back = rules.of_account(ALICE)
    assert [(each.sid, each.fired, each.left) for each in back] == [
        (older.sid, 1, 1),
        (spent.sid, 0, 0),
    ]
    taken = _take(rules)
    assert taken is not None
    assert taken.sid == older.sid, "the fault of the other account is younger"
    rules.forget(account_sid)
    rules.restore(saved)
    assert [each.fired for each in rules.of_account(ALICE)] == [1, 0], "saved once, restored twice"


def test_an_account_has_so_many_faults_at_most() -> None:
    rules = _rules()
    for _ in range(limits.FAULTS_PER_ACCOUNT_MAX):
        rules.create(ALICE, _rule())

    with pytest.raises(ApiError) as raised:
        rules.create(ALICE, _rule())
    assert (raised.value.status, raised.value.code) == (409, 20409)
    assert "1000 faults" in raised.value.message
    rules.create(BOB, _rule())
