"""The tables of states: the code makes every transition in them, and no other."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from parlour.delivery import states
from parlour.delivery.endpoints import Endpoint
from parlour.delivery.lanes import Lane, Lanes
from parlour.delivery.states import (
    DELIVERY_TRANSITIONS,
    ENDPOINT_TRANSITIONS,
    LANE_TRANSITIONS,
    SYNC_TRANSITIONS,
    DeliveryState,
    EndpointState,
    LaneState,
    Part,
    SyncState,
    Transition,
)
from parlour.vocabulary import limits
from tests.unit.delivery.lane_setup import NOW, delivery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import Enum

TABLES = {
    "Delivery": (DeliveryState, DELIVERY_TRANSITIONS),
    "Lane": (LaneState, LANE_TRANSITIONS),
    "Endpoint": (EndpointState, ENDPOINT_TRANSITIONS),
    "Sync": (SyncState, SYNC_TRANSITIONS),
}
LANES, URLS = 3, 3
OUTCOMES = ["done", "failed", "timed out", "given up"]
CONCURRENT_STEPS = [
    "",
    "send finish write",
    "offer send finish",
    "offer send finish write",
    "offer queue send finish write",
]
"""What other parts do while the due poller reads a lane."""
URL_LANES = st.tuples(st.integers(0, URLS - 1), st.integers(0, LANES - 1))
EXAMPLES = settings(
    max_examples=150,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class IllegalTransitionError(AssertionError):
    """The code made a transition that is not in its table."""


class TransitionRecorder:
    """Records the transitions of lanes and endpoints, each with the part that is acting."""

    def __init__(self) -> None:
        self.part = Part.INTAKE
        self.made: set[Transition] = set()

    def record(self, legal: frozenset[Transition], old: Enum, new: Enum) -> None:
        transition = Transition(old, new, self.part)
        if transition not in legal:
            raise IllegalTransitionError(transition)
        self.made.add(transition)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> TransitionRecorder:
    recorder = TransitionRecorder()
    enter_lane, enter_endpoint = Lane.enter, Endpoint.enter

    def record_lane(lane: Lane, state: LaneState) -> None:
        recorder.record(LANE_TRANSITIONS, lane.state, state)
        enter_lane(lane, state)

    def record_endpoint(endpoint: Endpoint, state: EndpointState) -> None:
        recorder.record(ENDPOINT_TRANSITIONS, endpoint.state, state)
        enter_endpoint(endpoint, state)

    monkeypatch.setattr(Lane, "enter", record_lane)
    monkeypatch.setattr(Endpoint, "enter", record_endpoint)
    # Narrow, so that the edges are in every run.
    for name, value in {
        "LANE_DELIVERIES_MAX": 2,
        "LANES_PER_REQUEST_MAX": 2,
        "ENDPOINTS_KNOWN_MAX": 2,
        "ENDPOINTS_DROPPED_PER_STEP_MAX": 1,
    }.items():
        monkeypatch.setattr(limits, name, value)
    return recorder


class DeliveryRow:
    """A delivery on disk."""

    def __init__(self, url: int, lane: int, order: int) -> None:
        self.url, self.lane, self.order = url, lane, order
        self.due_ms: int | None = None
        self.is_pending = True


class LaneMachine(RuleBasedStateMachine):
    """The lanes, with a model of the rows on disk, driven as the parts of the delivery do."""

    recorder: TransitionRecorder

    def __init__(self) -> None:
        super().__init__()
        self.lanes = Lanes()
        self.rows: list[DeliveryRow] = []
        self.order = 0
        self.now = NOW
        self.sending: list[Lane] = []
        self.results: list[tuple[Lane, int, bool, int | None]] = []
        self.refilling: list[tuple[Lane, list[Any]]] = []

    # --- The model of the disk.

    def pending(self, url: int, lane: int) -> list[DeliveryRow]:
        return [each for each in self.rows if (each.url, each.lane) == (url, lane)]

    def written(self, row: DeliveryRow) -> Any:
        url = f"http://h{row.url}.test/"
        return delivery(row.lane, row.order, url=url, due_ms=row.due_ms)

    def promote(self, url: int, lane: int) -> bool:
        rows = self.pending(url, lane)
        if rows and rows[0].due_ms is None:
            rows[0].due_ms = self.now
            return True
        return False

    # --- The intake.

    def queue(self, where: tuple[int, int], count: int, *, is_offered: bool) -> None:
        self.recorder.part = Part.INTAKE
        for _ in range(count):
            self.order += 1
            row = DeliveryRow(*where, self.order)
            row.due_ms = None if self.pending(*where) else self.now
            self.rows.append(row)
            if is_offered:
                self.lanes.offer(self.written(row))

    @rule(where=URL_LANES, count=st.integers(1, 4))
    def enqueue(self, where: tuple[int, int], count: int) -> None:
        self.queue(where, count, is_offered=True)

    @rule()
    def enqueue_for_all_urls(self) -> None:
        for url in range(URLS):
            self.queue((url, 0), 1, is_offered=True)

    @rule(where=URL_LANES)
    def end_waiting(self, where: tuple[int, int]) -> None:
        """Deliveries are dropped or stopped in the intake's transaction."""
        self.recorder.part = Part.INTAKE
        self.rows = [each for each in self.rows if (each.url, each.lane) != where]
        self.lanes.invalidate("AC1", f"http://h{where[0]}.test/", where[1])

    @rule(where=URL_LANES)
    def intake_repeated(self, where: tuple[int, int]) -> None:
        """A commit of unknown outcome was repeated: some rows are not in memory."""
        self.queue(where, 1, is_offered=False)
        self.lanes.invalidate_all()

    # --- The sender.

    @rule()
    def send(self) -> None:
        self.recorder.part = Part.SENDER
        lane = self.lanes.next_lane()
        if lane is not None:
            self.sending.append(lane)

    @rule(outcome=st.sampled_from(OUTCOMES))
    def finish(self, outcome: str) -> None:
        if not self.sending:
            return
        self.recorder.part = Part.SENDER
        lane = self.sending.pop(0)
        order = lane.waiting[0].lane_order
        is_done = outcome in {"done", "given up"}
        timed_out = outcome in {"timed out", "given up"}
        self.lanes.finish_attempt(lane, is_done=is_done, timed_out=timed_out)
        self.results.append((lane, order, is_done, None if is_done else self.now + 5))

    @rule()
    def drain(self) -> None:
        """The receiver accepts some deliveries before the first result is written."""
        for _ in range(3):
            self.send()
            self.finish("done")

    # --- The result writer.

    def write_one(self) -> tuple[Lane, bool] | None:
        if not self.results or self.refilling:
            return None  # A refill is part of the write before.
        self.recorder.part = Part.RESULT_WRITER
        lane, order, is_done, due_ms = self.results.pop(0)
        url = int(lane.endpoint.key[1][8])
        found = [each for each in self.pending(url, lane.key) if each.order == order]
        if is_done:
            self.rows = [each for each in self.rows if each not in found]
        elif found:
            found[0].due_ms = due_ms
        is_promoted = is_done and self.promote(url, lane.key)
        return lane, self.lanes.recorded(lane, due_ms if found else None, is_promoted=is_promoted)

    def read_rest(self, lane: Lane) -> list[Any]:
        url = int(lane.endpoint.key[1][8])
        rows = [each for each in self.pending(url, lane.key) if each.order > lane.tail_order]
        return [self.written(each) for each in rows[: limits.LANE_DELIVERIES_MAX]]

    @rule(is_slow=st.booleans())
    def write_result(self, is_slow: bool) -> None:
        written = self.write_one()
        if written is not None and written[1]:
            lane = written[0]
            self.refilling.append((lane, self.read_rest(lane)))
            if not is_slow:
                self.finish_refill()

    @rule()
    def finish_refill(self) -> None:
        if self.refilling:
            self.recorder.part = Part.RESULT_WRITER
            self.lanes.refill(*self.refilling.pop())

    @rule()
    def fail_refill(self) -> None:
        """The read failed: the memory is rebuilt."""
        self.refilling.clear()
        self.recorder.part = Part.RESULT_WRITER
        self.lanes.invalidate_all()
        self.search(Part.RESULT_WRITER)

    # --- The due poller.

    def search(self, part: Part = Part.DUE_POLLER) -> None:
        self.recorder.part = part
        if part is not Part.DUE_POLLER:
            return
        for row in [each for each in self.rows if each.due_ms is not None]:
            key = ("AC1", f"http://h{row.url}.test/")
            self.lanes.schedule_found(key, row.due_ms or 0, self.now)

    @rule()
    def find(self) -> None:
        self.search()

    @rule(where=URL_LANES)
    def replay(self, where: tuple[int, int]) -> None:
        """A row is reopened: it is on disk alone, and its account is searched."""
        self.queue(where, 1, is_offered=False)
        self.search()

    @rule(ms=st.integers(1, 10))
    def wait(self, ms: int) -> None:
        self.now += ms

    @rule(concurrent_steps=st.sampled_from(CONCURRENT_STEPS))
    def poll(self, concurrent_steps: str) -> None:
        """One endpoint is read, and other parts act during the read."""
        self.recorder.part = Part.DUE_POLLER
        endpoint = self.lanes.due_poll(self.now)
        if endpoint is None:
            return
        url = int(endpoint.key[1][8])
        due = [each for each in self.rows if each.url == url and each.due_ms is not None]
        heads = [(each.lane, each.due_ms or 0, each.order) for each in due]
        with self.lanes.loading(endpoint):
            found = sorted(heads, key=lambda head: head[1])
            for key in self.lanes.lanes_to_load(endpoint, found, self.now):
                rows = self.pending(url, key)[: limits.LANE_DELIVERIES_MAX]
                read = [self.written(each) for each in rows]
                for act in concurrent_steps.split():
                    self.act(act, (url, key))
                is_whole = len(read) < limits.LANE_DELIVERIES_MAX
                self.recorder.part = Part.DUE_POLLER
                self.lanes.load(endpoint, key, read, is_whole=is_whole)
            self.recorder.part = Part.DUE_POLLER

    def act(self, act: str, where: tuple[int, int]) -> None:
        if act == "send":
            self.send()
        elif act == "finish":
            self.finish("done")
        elif act == "write":
            self.write_result(is_slow=True)
        elif act == "queue":
            self.queue(where, 1, is_offered=False)
        else:
            for row in self.pending(*where)[:1]:
                self.recorder.part = Part.INTAKE  # Its commit was in the read, its offer comes now.
                self.lanes.offer(self.written(row))

    # --- What holds in each state.

    @invariant()
    def lanes_are_as_their_states(self) -> None:
        for endpoint in self.lanes.endpoints:
            assert endpoint.state is not EndpointState.ABSENT
            for lane in endpoint.lanes.values():
                state, has_waiting = lane.state, bool(lane.waiting)
                assert state is not LaneState.ABSENT
                assert (lane in endpoint.ready.values()) == (state is LaneState.READY)
                assert has_waiting or state not in {LaneState.READY, LaneState.SENDING}
                assert not has_waiting or state not in {LaneState.RECORDING, LaneState.REFILLING}
                if state in {LaneState.RECORDING, LaneState.BLOCKED}:
                    assert lane.unrecorded

    @invariant()
    def every_lane_with_a_request_is_known(self) -> None:
        for lane in self.sending:
            assert lane.endpoint.lanes.get(lane.key) is lane
            assert lane.state is LaneState.SENDING


def machine_of(recorder: TransitionRecorder) -> type[LaneMachine]:
    return type("Machine", (LaneMachine,), {"recorder": recorder})


def walk(recorder: TransitionRecorder) -> None:
    """Search for an illegal transition or state; the smallest run that has one is shown."""
    run_state_machine_as_test(machine_of(recorder), settings=EXAMPLES)


def tour(recorder: TransitionRecorder, runs: int, steps: int) -> None:
    """Generate long deterministic runs that reach rare states."""
    dice = random.Random(10)
    for _ in range(runs):
        machine = machine_of(recorder)()
        for _ in range(steps):
            step(machine, dice)
            machine.lanes_are_as_their_states()
            machine.every_lane_with_a_request_is_known()


def step(machine: LaneMachine, dice: random.Random) -> None:
    """Take one step of a long run."""
    where = dice.randrange(URLS), dice.randrange(LANES)
    steps = [
        lambda: machine.enqueue(where, dice.randrange(1, 5)),
        machine.enqueue_for_all_urls,
        lambda: machine.end_waiting(where),
        lambda: machine.intake_repeated(where),
        machine.send,
        machine.send,
        lambda: machine.finish(dice.choice(OUTCOMES)),
        lambda: machine.finish(dice.choice(OUTCOMES)),
        machine.drain,
        lambda: machine.write_result(is_slow=dice.random() < 0.5),
        lambda: machine.write_result(is_slow=False),
        machine.finish_refill,
        machine.fail_refill,
        machine.find,
        lambda: machine.replay(where),
        lambda: machine.wait(dice.randrange(1, 10)),
        lambda: machine.poll(dice.choice(CONCURRENT_STEPS)),
    ]
    dice.choice(steps)()


def test_lanes_and_endpoints_make_no_transition_that_is_not_in_the_tables(
    recorder: TransitionRecorder,
) -> None:
    walk(recorder)
    assert recorder.made


def test_lanes_and_endpoints_make_all_transitions_of_the_tables(
    recorder: TransitionRecorder,
) -> None:
    tour(recorder, runs=1500, steps=40)
    missing = (LANE_TRANSITIONS | ENDPOINT_TRANSITIONS) - recorder.made
    assert sorted(f"{old} > {new}: {by}" for old, new, by in missing) == []


def test_a_planted_illegal_transition_is_found(
    recorder: TransitionRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = Lanes.finish_attempt

    def never_blocked(lanes: Lanes, lane: Lane, *, is_done: bool, timed_out: bool) -> None:
        """A failed delivery does not block its lane: the next one overtakes it."""
        finish(lanes, lane, is_done=is_done, timed_out=timed_out)
        if not is_done:
            lane.enter(LaneState.READY)

    monkeypatch.setattr(Lanes, "finish_attempt", never_blocked)
    with pytest.raises(IllegalTransitionError):
        tour(recorder, runs=1500, steps=40)


def rows_of(name: str) -> Iterator[tuple[str, ...]]:
    """The rows of one table in the module's docstring."""
    assert states.__doc__
    text = re.split(rf"^{name} \(", states.__doc__, flags=re.MULTILINE)[1]
    table = re.search(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert table is not None
    for line in table.group().splitlines()[2:]:
        yield tuple(cell.strip() for cell in line.strip("|").split("|"))


@pytest.mark.parametrize("name", TABLES)
def test_the_table_in_the_docstring_is_the_one_that_is_tested(name: str) -> None:
    enum, transitions = TABLES[name]
    shown: set[Transition] = set()
    for state, _, becomes, parts in rows_of(name):
        olds = [each for each in enum if each.value not in {"absent", "pending"}]
        if state != "any other":
            olds = [enum(state)]
        for part in parts.split(", "):
            shown |= {Transition(old, enum(becomes), Part(part)) for old in olds}
    assert shown == transitions
