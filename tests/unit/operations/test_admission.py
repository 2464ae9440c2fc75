"""Admission: a model of its counts, and the rules of rejection."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from parlour.operations.admission import Admission, Owner
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock
from parlour.vocabulary.errors import ApiError

IN_ALL, OF_ACCOUNT = 12, 8
OWNERS = st.builds(
    Owner, st.sampled_from(["AC1", "AC2", "AC3", "AC4"]), st.sampled_from([None, "ann", "bob"])
)


class Admissions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.admission = Admission(self.clock, in_all_max=IN_ALL, of_account_max=OF_ACCOUNT)
        self.running: Counter[Owner] = Counter()
        self.met_limit: dict[Owner, int] = {}

    def of_account(self, sid: str) -> int:
        return sum(count for owner, count in self.running.items() if owner.account_sid == sid)

    def wanting(self) -> set[Owner]:
        since = self.clock.now_ms() - limits.CONTENTION_MS
        return {owner for owner, count in self.running.items() if count} | {
            owner for owner, met_ms in self.met_limit.items() if met_ms > since
        }

    @rule(owner=OWNERS, times=st.integers(1, 6))
    def enter(self, owner: Owner, times: int) -> None:
        for _ in range(times):
            self.enter_once(owner)

    def enter_once(self, owner: Owner) -> None:
        account, all_accounts = self.of_account(owner.account_sid), self.running.total()
        is_full = all_accounts >= IN_ALL
        if is_full or account >= OF_ACCOUNT:
            self.met_limit[owner] = self.clock.now_ms()
        wanting = self.wanting() | {owner}
        accounts = {each.account_sid for each in wanting}
        limit = min(OF_ACCOUNT, IN_ALL // len(accounts)) if is_full else OF_ACCOUNT
        members = len([each for each in wanting if each.account_sid == owner.account_sid])
        is_due = account < limit or self.running[owner] < limit // members
        if not is_due:
            share = math.ceil(IN_ALL / len(accounts))
            are_within = all(self.of_account(sid) <= share for sid in accounts)
            is_server_full = is_full and account < OF_ACCOUNT and are_within
            with pytest.raises(ApiError) as refused:
                self.admission.enter(*owner)
            assert refused.value.status == (503 if is_server_full else 429)
            assert refused.value.headers == {"Retry-After": "1"}
            return
        largest = self.admission.enter(*owner)
        if account >= limit or is_full:
            assert largest is not None
            same = [o for o in wanting if o.account_sid == largest.account_sid]
            assert self.running[largest] == max(self.running[each] for each in same)
            assert self.of_account(largest.account_sid) >= limit
        else:
            assert largest is None
        self.running[owner] += 1

    @rule(number=st.integers(0, 50), times=st.integers(1, 8))
    def leave(self, number: int, times: int) -> None:
        for _ in range(times):
            there = sorted(self.running.elements(), key=str)
            if there:
                owner = there[number % len(there)]
                self.running[owner] -= 1
                self.admission.leave(*owner)

    @rule(by_ms=st.sampled_from([1, 400, 1000, 2500]))
    def advance(self, by_ms: int) -> None:
        self.clock.advance(by_ms)

    @invariant()
    def counts_agree(self) -> None:
        assert self.admission.running == self.running.total()
        for sid in ("AC1", "AC2", "AC3", "AC4"):
            assert self.admission.running_of(sid) == self.of_account(sid)
            assert self.of_account(sid) <= OF_ACCOUNT * (2 + math.log(3))
        assert self.admission.running <= IN_ALL * (2 + math.log(4))

    def teardown(self) -> None:
        for owner in list(self.running.elements()):
            self.admission.leave(*owner)
        assert self.admission.running == 0


TestAdmissions = Admissions.TestCase
TestAdmissions.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def admission_with(**running: int) -> tuple[Admission, FakeClock]:
    clock = FakeClock()
    admission = Admission(clock, in_all_max=IN_ALL, of_account_max=IN_ALL)
    for sid, count in running.items():
        for _ in range(count):
            admission.enter(sid)
    return admission, clock


def status_of(admission: Admission, *owner: str) -> int:
    try:
        admission.enter(*owner)
    except ApiError as error:
        return error.status
    return 200


@pytest.mark.promise("--concurrent-requests-max", 429)
def test_account_below_its_share_is_admitted_to_a_full_server() -> None:
    admission, _ = admission_with(AC1=6, AC2=6)
    assert [status_of(admission, "AC3") for _ in range(5)] == [200, 200, 200, 200, 429]
    assert status_of(admission, "AC1") == 429


@pytest.mark.promise("--concurrent-requests-max", 503)
def test_503_only_if_all_accounts_are_within_their_shares() -> None:
    admission, _ = admission_with(AC1=6, AC2=6)
    assert status_of(admission, "AC1") == 503


def test_account_that_stopped_contending_counts_for_one_second() -> None:
    admission, clock = admission_with(AC1=6, AC2=6)
    assert status_of(admission, "AC3") == 200
    admission.leave("AC3")
    assert status_of(admission, "AC2") == 429  # Of 12 places each may have 4.
    clock.advance(limits.CONTENTION_MS)
    assert status_of(admission, "AC2") == 503  # Of 12 places each has 6.


def test_user_below_its_share_is_admitted_to_an_account_at_its_limit() -> None:
    admission = Admission(FakeClock(), in_all_max=100, of_account_max=8)
    for _ in range(8):
        admission.enter("AC1", "ann")
    assert admission.enter("AC1", "bob") == Owner("AC1", "ann")
    assert status_of(admission, "AC1", "ann") == 429


def test_more_users_than_slots_do_not_exceed_the_limit() -> None:
    admission = Admission(FakeClock(), in_all_max=10_000, of_account_max=8)
    for number in range(1000):
        status_of(admission, "AC1", f"user {number}")
    assert admission.running <= 8 * (2 + math.log(8))


def test_idle_accounts_use_no_memory() -> None:
    admission, clock = admission_with()
    for number in range(100):
        admission.enter(f"AC{number}", "ann") if number < IN_ALL else status_of(
            admission, f"AC{number}"
        )
    for number in range(IN_ALL):
        admission.leave(f"AC{number}", "ann")
    clock.advance(limits.CONTENTION_MS)
    for _ in range(IN_ALL + 1):
        status_of(admission, "AC0")
    assert list(admission._accounts.found) == ["AC0"]


def test_leave_without_enter_is_a_bug() -> None:
    admission, _ = admission_with()
    with pytest.raises(KeyError):
        admission.leave("AC1")


def test_requests_in_flight_are_shared_like_request_slots() -> None:
    admission, _ = admission_with(AC1=6)

    assert admission.refusal_status(6, "AC1") == 503
    assert admission.refusal_status(6, "AC2") == 0
    # Of six places each of the two may have three.
    assert admission.refusal_status(6, "AC1") == 429
    for _ in range(3):
        admission.enter("AC2")
    assert admission.refusal_status(6, "AC2") == 429
    assert admission.refusal_status(6, "AC2", "alice") == 0


def test_account_that_hit_the_work_limit_expires_after_a_second() -> None:
    admission, clock = admission_with(AC1=6)
    assert admission.refusal_status(6, "AC2") == 0

    clock.advance(limits.CONTENTION_MS)

    assert admission.refusal_status(6, "AC1") == 503
    assert admission.running_of("AC2") == 0
