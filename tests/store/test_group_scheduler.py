"""Which actions share a group: disjoint ones of one account, in FIFO order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.store.postgres.group import PendingAction
from parlour.store.postgres.group_scheduler import GroupQueue, GroupScheduler
from parlour.store.transaction import Busy, ConflictScope
from parlour.vocabulary import limits
from parlour.vocabulary.origin import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.store.postgres.group_scheduler import More


@pytest.fixture(autouse=True)
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Return the event loop of the futures."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


def pending(loop: asyncio.AbstractEventLoop, conversation: str, subject: str = "") -> PendingAction:
    """Return an action with this conflict scope that does nothing."""

    async def nothing(_tx: Any) -> None:
        """Nothing."""

    return PendingAction(
        nothing, SILENT, ConflictScope(conversation, subject), loop.create_future()
    )


def scopes_of(taken: list[PendingAction]) -> list[tuple[str, str]]:
    """Return the scopes of actions."""
    return [
        (each.conflict_scope.conversation_sid, each.conflict_scope.subject_sid) for each in taken
    ]


def take(queue: GroupQueue, *, without: str = "") -> tuple[str, list[tuple[str, str]]] | None:
    """Take the next group; return its account and scopes."""
    taken = queue.take(lambda account: account != without)
    return None if taken is None else (taken[0], scopes_of(taken[1]))


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (("CH1", ""), ("CH2", ""), True),
        (("CH1", ""), ("CH1", ""), False),
        (("CH1", "MB1"), ("CH1", ""), False),
        (("CH1", "MB1"), ("CH1", "MB1"), False),
        (("CH1", "MB1"), ("CH1", "MB2"), True),
        (("CH1", "MB1"), ("CH1", "US2"), False),
        (("CH1", "MB1"), ("CH2", "MB1"), True),
    ],
)
def test_disjoint_scopes_differ_in_conversation_or_in_subject_of_one_type(
    one: tuple[str, str], other: tuple[str, str], apart: bool
) -> None:
    assert ConflictScope(*one).is_disjoint_from(ConflictScope(*other)) is apart
    assert ConflictScope(*other).is_disjoint_from(ConflictScope(*one)) is apart


def test_group_takes_disjoint_heads_of_each_conversation(loop: asyncio.AbstractEventLoop) -> None:
    queue = GroupQueue()
    for conversation, subject in [
        ("CH1", "MB1"), ("CH1", "MB2"), ("CH2", ""), ("CH1", "MB1"), ("CH1", "MB3"), ("CH2", ""),
    ]:  # fmt: skip
        queue.add("AC1", pending(loop, conversation, subject))
    assert take(queue) == ("AC1", [("CH1", "MB1"), ("CH1", "MB2"), ("CH2", "")])
    assert take(queue) is None, "both are held"
    later = queue.take_from("AC1", ["CH1", "CH2"])
    assert scopes_of(later) == [("CH1", "MB1"), ("CH1", "MB3"), ("CH2", "")]
    assert queue.count == 0


def test_conversation_of_a_running_group_is_taken_after_its_release(
    loop: asyncio.AbstractEventLoop,
) -> None:
    queue = GroupQueue()
    queue.add("AC1", pending(loop, "CH1"))
    assert take(queue) == ("AC1", [("CH1", "")])
    queue.add("AC1", pending(loop, "CH1"))
    queue.add("AC1", pending(loop, "CH2"))
    assert take(queue) == ("AC1", [("CH2", "")])
    assert take(queue) is None
    queue.release("AC1", ["CH1"])
    assert take(queue) == ("AC1", [("CH1", "")])


def test_accounts_are_served_round_robin(loop: asyncio.AbstractEventLoop) -> None:
    queue = GroupQueue()
    for number in range(limits.GROUP_ACTIONS_MAX + 1):
        queue.add("AC1", pending(loop, f"CH{number}"))
    queue.add("AC2", pending(loop, "CH1"))
    sizes = []
    while taken := queue.take(lambda _: True):
        sizes.append((taken[0], len(taken[1])))
    assert sizes == [("AC1", limits.GROUP_ACTIONS_MAX), ("AC2", 1), ("AC1", 1)]


def test_account_that_may_not_start_does_not_block_others(loop: asyncio.AbstractEventLoop) -> None:
    queue = GroupQueue()
    queue.add("AC1", pending(loop, "CH1"))
    queue.add("AC2", pending(loop, "CH1"))
    assert take(queue, without="AC1") == ("AC2", [("CH1", "")])
    assert take(queue, without="AC1") is None


class Runner:
    """Runs groups that the test ends."""

    def __init__(self) -> None:
        self.sizes: list[tuple[str, int]] = []
        self.gates: list[asyncio.Event] = []

    async def run(self, account_sid: str, first: list[PendingAction], _more: More) -> None:
        """Wait at the gate, then set every result."""
        self.sizes.append((account_sid, len(first)))
        gate = asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        for each in first:
            each.future.set_result(None)


async def began(runner: Runner, count: int) -> None:
    """Wait until so many groups have started."""
    for _ in range(5000):
        if len(runner.gates) >= count:
            return
        await asyncio.sleep(0.001)
    raise AssertionError(f"{len(runner.gates)} groups, not {count}")


def test_actions_enqueued_while_a_group_runs_share_the_next_group(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GROUP_PATIENCE_MS", 60_000)

    async def scenario() -> None:
        runner = Runner()
        scheduler = GroupScheduler(runner.run, 4)
        answers = [scheduler.enqueue("AC1", pending(loop, "CH1"))]
        await began(runner, 1)
        answers += [scheduler.enqueue("AC1", pending(loop, f"CH{number}")) for number in (2, 3, 4)]
        await asyncio.sleep(0)
        answers.append(scheduler.enqueue("AC2", pending(loop, "CH1")))
        await began(runner, 2)
        assert runner.sizes[:2] == [("AC1", 1), ("AC2", 1)]
        runner.gates[0].set()
        await began(runner, 3)
        assert runner.sizes[2] == ("AC1", 3)
        for gate in runner.gates:
            gate.set()
        await scheduler.close()
        assert all(answer.done() for answer in answers)

    loop.run_until_complete(scenario())


def test_second_group_of_an_account_starts_after_the_patience(
    loop: asyncio.AbstractEventLoop,
) -> None:
    async def scenario() -> None:
        runner = Runner()
        scheduler = GroupScheduler(runner.run, 2)
        scheduler.enqueue("AC1", pending(loop, "CH1"))
        await began(runner, 1)
        begun = loop.time()
        scheduler.enqueue("AC1", pending(loop, "CH2"))
        await began(runner, 2)
        assert loop.time() - begun > limits.GROUP_PATIENCE_MS / 2000
        scheduler.enqueue("AC1", pending(loop, "CH3"))
        await asyncio.sleep(limits.GROUP_PATIENCE_MS * 3 / 1000)
        assert len(runner.gates) == 2, "there is room for two"
        runner.gates[0].set()
        await began(runner, 3)
        for gate in runner.gates:
            gate.set()
        await scheduler.close()

    loop.run_until_complete(scenario())


def test_full_group_queue_raises_busy(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "QUEUE_ACTIONS_MAX", 1)

    async def scenario() -> None:
        runner = Runner()
        scheduler = GroupScheduler(runner.run, 1)
        scheduler.enqueue("AC1", pending(loop, "CH1"))
        with pytest.raises(Busy):
            scheduler.enqueue("AC1", pending(loop, "CH2"))
        await began(runner, 1)
        runner.gates[0].set()
        await scheduler.close()

    loop.run_until_complete(scenario())
