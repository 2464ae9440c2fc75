"""Identifiers of inbound messages: redeliveries are recognised, repeated texts are not.

The state machine runs against a model of the SMSC's queue and of committed rows, with crashes
between any two transactions. If each response is recorded before a crash, no message is lost.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from parlour.channels.smpp.redeliveries import RedeliveryIds, digest_of
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

RESTORED_MS = limits.SMS_REDELIVERY_SECONDS * 1000
KEPT_MS = limits.INBOX_UNACKNOWLEDGED_HOURS * 60 * 60 * 1000
# All steps of a run take less than the time in which redeliveries are recognised.
STEPS_MAX = 40
STEP_MS = RESTORED_MS // (2 * STEPS_MAX)

Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "deliver", "lose link", "temporary error", "record", "crash"]),
        st.integers(0, 2),
    ),
    max_size=STEPS_MAX,
)


class RedeliveryModel:
    """The retry queue of an SMSC, the committed rows of a server, and the state machine."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.outstanding: list[str] = []
        """The retry queue: contents of messages without a response."""
        self.written: Counter[str] = Counter()
        self.inbox: dict[str, int] = {}
        self.unacknowledged: dict[str, int] = {}
        self.unrecorded: list[str] = []
        self.unrecorded_at_crashes = 0
        self.crashes = 0
        self.ids = RedeliveryIds("process0")

    def restored_rows(self) -> dict[str, int]:
        """Return the rows that a new process reads; the planted faults override it."""
        return self.unacknowledged

    def superseded(self, provider_ids: list[str]) -> None:
        """Record the acknowledgements of messages that have a later one."""
        self.unrecorded += provider_ids

    def run(self, step: Step) -> None:
        """Run a step; its number selects a content, or a message of the queue."""
        name, number = step
        self.now_ms += STEP_MS
        if name == "write":
            self.outstanding.append("abc"[number])
            self.written["abc"[number]] += 1
        elif name == "record":
            self.record(number)
        elif name == "crash":
            self.crash()
        elif self.outstanding:
            self.deliver(self.outstanding[number % len(self.outstanding)], name)

    def deliver(self, content: str, outcome: str = "deliver") -> None:
        """Deliver a message: with a response after its commit, without one, or rejected."""
        provider_id = self.ids.find(content, self.now_ms)
        if outcome == "temporary error":
            return
        if provider_id not in self.inbox:
            self.inbox[provider_id] = self.unacknowledged[provider_id] = self.now_ms
        if outcome == "deliver":
            self.ids.acknowledge(content, provider_id)
            self.unrecorded.append(provider_id)
            self.outstanding.remove(content)

    def record(self, count: int) -> None:
        """Record the oldest acknowledgements."""
        for provider_id in self.unrecorded[:count]:
            self.unacknowledged.pop(provider_id, None)
        del self.unrecorded[:count]

    def crash(self) -> None:
        """Start a new process."""
        self.unrecorded_at_crashes += len(self.unrecorded)
        self.unrecorded.clear()
        self.crashes += 1
        self.ids = RedeliveryIds(f"process{self.crashes}")
        self.superseded(self.ids.restore(list(self.restored_rows().items())))

    def end(self) -> None:
        """Deliver the queue."""
        for content in list(self.outstanding):
            self.deliver(content)

    @property
    def stored(self) -> Counter[str]:
        """The number of messages of each content in the inbox."""
        return Counter(each.partition("-")[0] for each in self.inbox)


class AcknowledgedIsRedelivered(RedeliveryModel):
    """A planted fault: every row counts as one that is delivered again."""

    def restored_rows(self) -> dict[str, int]:
        return self.inbox


class UnacknowledgedIsIgnored(RedeliveryModel):
    """A planted fault: no row counts."""

    def restored_rows(self) -> dict[str, int]:
        return {}


class SupersededStays(RedeliveryModel):
    """A planted fault: a row stays although a later message of its content is stored."""

    def superseded(self, provider_ids: list[str]) -> None:
        pass


def model_after(
    steps: list[Step], make: type[RedeliveryModel] = RedeliveryModel, *, records_first: bool = True
) -> RedeliveryModel:
    """Return the model after steps; ``records_first``: before each crash all are recorded."""
    model = make()
    for step in steps:
        if records_first and step[0] == "crash":
            model.record(len(model.unrecorded))
        model.run(step)
    model.end()
    return model


@given(STEPS)
def test_each_message_is_stored_once_if_acknowledgements_are_recorded_before_a_crash(
    steps: list[Step],
) -> None:
    model = model_after(steps)
    assert model.stored == model.written


@given(STEPS)
def test_a_crash_loses_at_most_the_unrecorded_acknowledgements_and_makes_no_duplicate(
    steps: list[Step],
) -> None:
    model = model_after(steps, records_first=False)
    assert not model.stored - model.written
    assert (model.written - model.stored).total() <= model.unrecorded_at_crashes


LOSS: Final = lambda model: bool(model.written - model.stored)  # noqa: E731
DUPLICATE: Final = lambda model: bool(model.stored - model.written)  # noqa: E731


@pytest.mark.parametrize(
    ("make", "is_violated"),
    [(AcknowledgedIsRedelivered, LOSS), (UnacknowledgedIsIgnored, DUPLICATE)],
)
def test_planted_faults_are_found(
    make: type[RedeliveryModel], is_violated: Callable[[RedeliveryModel], bool]
) -> None:
    # One seed: how far an example shrinks depends on where the search begins.
    found = find(STEPS, lambda steps: is_violated(model_after(steps, make)), random=Random(1))
    assert len(found) <= 4
    with pytest.raises(NoSuchExample):
        find(
            STEPS,
            lambda steps: is_violated(model_after(steps)),
            settings=settings(max_examples=100),
        )


def superseding_steps(model: RedeliveryModel) -> None:
    """Crash with two rows of one content, and again after the response to the later one."""
    model.run(("write", 0))
    model.deliver("a")  # Its acknowledgement is not recorded.
    model.run(("write", 0))
    model.deliver("a", "lose link")
    model.crash()
    model.deliver("a")
    model.record(len(model.unrecorded))
    model.crash()
    model.run(("write", 0))
    model.end()


def test_the_earlier_of_two_rows_with_one_content_was_acknowledged() -> None:
    model = RedeliveryModel()
    superseding_steps(model)
    assert model.stored == model.written == {"a": 3}
    faulty = SupersededStays()
    superseding_steps(faulty)
    assert faulty.stored == {"a": 2}


def test_a_restored_message_counts_for_a_time_after_the_first_message() -> None:
    ids = RedeliveryIds("second")
    # After a lost connection.
    start_ms = KEPT_MS // 2
    stored = [("x-first-1", 0), ("y-first-2", 1), ("z-first-3", 2)]
    assert ids.restore(stored) == []
    assert ids.find("x", start_ms) == "x-first-1"
    assert ids.find("y", start_ms + RESTORED_MS - 1) == "y-first-2"
    assert ids.find("z", start_ms + RESTORED_MS) == "z-second-1"


def test_an_unacknowledged_message_of_the_same_process_counts_longer_but_not_for_ever() -> None:
    ids = RedeliveryIds("token")
    found = ids.find("x", 0)
    assert ids.find("x", KEPT_MS - 1) == found
    assert ids.find("x", KEPT_MS) != found


def test_the_memory_is_bounded_and_an_evicted_content_gets_a_new_identifier() -> None:
    ids = RedeliveryIds("token", known_max=2)
    found = {content: ids.find(content, 0) for content in "abc"}
    # A duplicate, if "a" was stored; the same identifier might lose a new message.
    assert ids.find("c", 0) == found["c"]
    assert ids.find("a", 0) not in found.values()
    assert len(ids._known) == 2


def test_a_late_acknowledgement_does_not_concern_a_later_message() -> None:
    ids = RedeliveryIds("token")
    first = ids.find("x", 0)
    ids.acknowledge("x", first)
    second = ids.find("x", 0)
    ids.acknowledge("x", first)
    assert ids.find("x", 0) == second != first


def test_digests_depend_on_the_boundaries_of_fields() -> None:
    assert digest_of([b"ab", b"c"]) != digest_of([b"a", b"bc"])
    assert digest_of([b"ab", b"c"]) == digest_of([b"ab", b"c"])
