"""Dates of changes: now, but never before the record's own dates."""

from __future__ import annotations

import msgspec
import pytest

from parlour.vocabulary.dates import updated


class Row(msgspec.Struct, frozen=True):
    name: str
    date_created: int
    date_updated: int


@pytest.mark.parametrize(
    ("created_ms", "updated_ms", "dated_ms"),
    [(1, 2, 10), (1, 20, 20), (20, 2, 20)],
    ids=["clock ahead", "clock behind the last update", "clock behind the creation"],
)
def test_changed_record_has_the_latest_of_its_dates_and_now(
    created_ms: int, updated_ms: int, dated_ms: int
) -> None:
    before = Row("before", created_ms, updated_ms)
    assert updated(before, 10, name="after") == Row("after", created_ms, dated_ms)
    assert before.name == "before"
