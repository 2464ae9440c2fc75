"""The write queue keeps its order, and one account leaves room for others."""

from __future__ import annotations

from parlour.delivery.write_queue import WriteQueue


def first(waiting: WriteQueue[str]) -> list[str]:
    return [each.entry for each in waiting.first(2)]


def test_an_account_leaves_room_for_others() -> None:
    waiting: WriteQueue[int] = WriteQueue()
    for number in range(1000):
        if waiting.has_room("A", 100):
            waiting.add("A", number)
    assert len(waiting) == waiting.count_of("A") == 50
    assert waiting.has_room("B", 100)


def test_the_first_ones_stay_until_they_are_written() -> None:
    waiting: WriteQueue[str] = WriteQueue()
    for entry in ("A1", "B1", "A2"):
        waiting.add(entry[0], entry)
    assert first(waiting) == first(waiting) == ["A1", "B1"]
    waiting.written()
    assert first(waiting) == ["B1", "A2"]
    assert (waiting.count_of("A"), waiting.count_of("B"), len(waiting)) == (1, 1, 2)
    waiting.written()
    assert waiting._counts == {"A": 1}
    waiting.clear()
    assert (first(waiting), len(waiting), waiting.count_of("A")) == ([], 0, 0)


def test_the_accounts_with_entries_are_listed() -> None:
    waiting: WriteQueue[str] = WriteQueue()
    for account_sid in ("A", "B", "A"):
        waiting.add(account_sid, "entry")
    assert waiting.account_sids() == ["A", "B"]
    for _ in range(2):
        waiting.written()
    assert waiting.account_sids() == ["A"]


def test_entries_of_some_accounts_are_dropped() -> None:
    waiting: WriteQueue[str] = WriteQueue()
    for entry in ("A1", "B1", "A2", "C1"):
        waiting.add(entry[0], entry)
    waiting.drop(lambda account_sid: account_sid != "B")
    assert first(waiting) == ["B1"]
    assert (waiting.account_sids(), len(waiting)) == (["B"], 1)
