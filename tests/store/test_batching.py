"""One statement for many: which shapes are understood, and the batched statements."""

from __future__ import annotations

import pytest

from parlour.store.postgres.batching import batched


def made(sql: str, *types: str) -> str:
    found = batched(sql, types)
    assert found is not None
    return " ".join(found.text.split())


def test_batched_read_runs_once_per_argument_set_and_is_planned_separately() -> None:
    assert made("SELECT sid FROM room WHERE account_sid = $1 AND number = $2", "text", "int8") == (
        "SELECT batch.number, found.* FROM unnest($1::text[], $2::int8[]) WITH ORDINALITY"
        " AS batch (a1, a2, number) CROSS JOIN LATERAL"
        " (SELECT sid FROM room WHERE account_sid = batch.a1 AND number = batch.a2 OFFSET 0)"
        " AS found"
    )


@pytest.mark.parametrize("lock", ["FOR UPDATE", "FOR KEY SHARE"])
def test_batched_read_with_row_locks_has_no_fence(lock: str) -> None:
    text = made(f"SELECT sid FROM room WHERE sid = $1 {lock}", "text")
    assert f"WHERE sid = batch.a1 {lock}) AS found" in text


def test_batched_insert_keeps_the_order_of_its_argument_sets() -> None:
    sql = "INSERT INTO room (sid, number) VALUES ($1, $2)"
    found = batched(sql, ["text", "int4"])
    assert found is not None
    assert not found.numbers_rows
    assert found.text == (
        "INSERT INTO room (sid, number) SELECT batch.a1, batch.a2"
        " FROM unnest($1::text[], $2::int4[]) WITH ORDINALITY AS batch (a1, a2, number)"
        " ORDER BY batch.number"
    )


def test_batched_update_returns_the_argument_set_of_each_row() -> None:
    sql = "UPDATE room\n   SET number = $2, seen = seen + 1\n WHERE sid = $1"
    found = batched(sql, ["text", "int4"])
    assert found is not None
    assert found.numbers_rows
    assert " ".join(found.text.split()) == (
        "UPDATE room SET number = batch.a2, seen = seen + 1"
        " FROM unnest($1::text[], $2::int4[]) WITH ORDINALITY AS batch (a1, a2, number)"
        " WHERE sid = batch.a1 RETURNING batch.number"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM room WHERE sid = $1",
        "INSERT INTO room (sid) VALUES ($1) ON CONFLICT DO NOTHING",
        "INSERT INTO room (sid, kind) VALUES ($1, 'open')",
        "INSERT INTO room (sid) SELECT sid FROM hall WHERE sid = $1",
        "UPDATE room SET number = (SELECT 1) WHERE sid = $1",
        "UPDATE room SET number = 1 WHERE sid IN (SELECT $1)",
        "UPDATE room SET number = 1 FROM hall WHERE hall.sid = $1",
        "UPDATE room SET number = 1 WHERE sid = $1 RETURNING sid",
    ],
)
def test_other_statement_shapes_have_no_batched_form(sql: str) -> None:
    assert batched(sql, ["text"]) is None


def test_statement_without_parameters_has_no_batched_form() -> None:
    assert batched("SELECT sid FROM room", []) is None
