"""Lookups of path variables: as a SID, then as a name; the lock of a name like a SID."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from parlour.resources.in_path import in_path
from parlour.vocabulary import sids
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SCOPE = Scope("AC" + "0" * 32, "IS" + "0" * 32)
CONVERSATION = "CH" + "1" * 32
SID = "US" + "a" * 32
LOCK = ("identity", SCOPE.account_sid, SCOPE.service_sid)


class FakeRows:
    """Rows by key, and the keys that were looked up."""

    def __init__(self, *keys: tuple[str, ...]) -> None:
        self.keys = keys
        self.looked_up: list[tuple[str, ...]] = []

    async def find(self, _tx: object, scope: Scope, *key: str) -> tuple[str, ...] | None:
        assert scope is SCOPE
        self.looked_up.append(key)
        return key if key in self.keys else None


class Locks:
    """A transaction that only locks names."""

    def __init__(self) -> None:
        self.names: list[tuple[str, ...]] = []

    async def lock_name(self, *name: str) -> None:
        self.names.append(name)


class NotFoundError(Exception):
    """The error of a call, with its code."""


def call(**path: str) -> Any:
    return SimpleNamespace(path=path, scope=SCOPE, not_found=NotFoundError)


def run(awaitable: Awaitable[Any]) -> Any:
    """Run a coroutine that never waits."""
    with pytest.raises(StopIteration) as stopped:
        awaitable.__await__().send(None)
    return stopped.value.value


def not_found_code(awaitable: Awaitable[Any]) -> int:
    with pytest.raises(NotFoundError) as found:
        awaitable.__await__().send(None)
    return found.value.args[0]


@pytest.mark.parametrize("text", [SID, "US" + "A" * 32], ids=["lower case", "upper case"])
def test_a_sid_in_any_case_is_looked_up_in_its_stored_form(text: str) -> None:
    rows, names = FakeRows((SID,)), FakeRows()
    assert run(in_path(sids.USER, rows.find, names.find)(Locks(), call(Sid=text))) == (SID,)
    assert names.looked_up == []


@pytest.mark.parametrize("text", ["alice", "RL" + "a" * 32], ids=["name", "other prefix"])
def test_a_text_that_is_no_sid_is_looked_up_as_a_name_only(text: str) -> None:
    rows, names = FakeRows(), FakeRows((text,))
    assert run(in_path(sids.USER, rows.find, names.find)(Locks(), call(Sid=text))) == (text,)
    assert rows.looked_up == []


@pytest.mark.parametrize("text", [SID, "alice"])
def test_without_a_row_the_error_has_the_code_of_the_resource(text: str) -> None:
    look_up = in_path(sids.USER, FakeRows().find, FakeRows().find, code=50200)
    assert not_found_code(look_up(Locks(), call(Sid=text))) == 50200


@pytest.mark.parametrize("text", [SID, "alice"])
def test_without_names_and_a_row_the_error_is_20404(text: str) -> None:
    assert not_found_code(in_path(sids.USER, FakeRows().find)(Locks(), call(Sid=text))) == 20404


@pytest.mark.parametrize("locks_identity", [True, False])
def test_a_name_like_a_sid_is_locked_where_the_sid_is_a_subject(locks_identity: bool) -> None:
    locks = Locks()
    look_up = in_path(
        sids.USER, FakeRows().find, FakeRows((SID,)).find, locks_identity=locks_identity
    )
    assert run(look_up(locks, call(Sid=SID))) == (SID,)
    assert locks.names == ([(*LOCK, SID)] if locks_identity else [])


@pytest.mark.parametrize("text", [SID, "alice"], ids=["by sid", "by name"])
def test_a_row_found_by_sid_or_plain_name_locks_nothing(text: str) -> None:
    locks = Locks()
    rows, names = FakeRows((SID,)), FakeRows(("alice",))
    run(in_path(sids.USER, rows.find, names.find, locks_identity=True)(locks, call(Sid=text)))
    assert locks.names == []


def test_a_name_like_a_sid_without_a_row_locks_nothing() -> None:
    locks = Locks()
    look_up = in_path(sids.USER, FakeRows().find, FakeRows().find, locks_identity=True)
    not_found_code(look_up(locks, call(Sid=SID)))
    assert locks.names == []


def test_an_unknown_sid_costs_no_lookup_by_name_where_names_are_no_sids() -> None:
    names = FakeRows((SID,), ("lobby",))
    look_up = in_path(sids.USER, FakeRows().find, names.find, names_like_sids=False)
    not_found_code(look_up(Locks(), call(Sid=SID)))
    assert names.looked_up == []
    assert run(look_up(Locks(), call(Sid="lobby"))) == ("lobby",)


@pytest.mark.parametrize("text", [SID, "alice"], ids=["by sid", "by name"])
def test_a_row_of_a_conversation_is_looked_up_in_it(text: str) -> None:
    rows: dict[str, Callable[..., Any]] = {
        "find": FakeRows((CONVERSATION, SID)).find,
        "find_by_name": FakeRows((CONVERSATION, "alice")).find,
    }
    look_up = in_path(sids.USER, **rows)
    assert run(look_up(Locks(), call(Sid=text), CONVERSATION)) == (CONVERSATION, text)


def test_the_variable_of_the_call_replaces_the_one_of_the_lookup() -> None:
    look_up = in_path(sids.USER, FakeRows((SID,)).find, variable="UserSid")
    other = "US" + "b" * 32
    assert run(look_up(Locks(), call(UserSid=SID, Sid=other))) == (SID,)
    assert run(look_up(Locks(), call(UserSid=other, Sid=SID), variable="Sid")) == (SID,)
