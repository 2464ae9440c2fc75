"""Functions derived from a record: the event of its change, and the saving of settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from parlour.resources.changes import change_emitter, settings_saver
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable

SCOPE = Scope("AC1", "IS1")


class Key(msgspec.Struct, frozen=True):
    sid: str
    secret: str | None


class AccountSettings(msgspec.Struct, frozen=True):
    account_sid: str
    mode: str


class ServiceSettings(msgspec.Struct, frozen=True):
    account_sid: str
    service_sid: str
    mode: str


class Steps(list[Any]):
    """A transaction that records its writes and events in order."""

    async def emit(self, scope: Scope, name: str, *, subject_sid: str, payload: object) -> None:
        self.append((scope, name, subject_sid, payload))

    async def write(self, scope: Scope, record: msgspec.Struct) -> None:
        self.append((scope, record))


def run(awaitable: Awaitable[None]) -> None:
    """Run a coroutine that never waits."""
    with pytest.raises(StopIteration):
        awaitable.__await__().send(None)


def test_event_has_the_record_as_a_member_and_its_sid_as_subject() -> None:
    tx, key = Steps(), Key("SK1", None)
    run(change_emitter(Key, "keyChanged", "key")(tx, SCOPE, key))  # type: ignore[arg-type]
    assert tx == [(SCOPE, "keyChanged", "SK1", {"key": key})]


def test_masked_field_has_the_mask_in_the_event_and_its_value_in_the_record() -> None:
    tx, key = Steps(), Key("SK1", "secret")
    emit = change_emitter(Key, "keyChanged", "key", secret=None)
    run(emit(tx, SCOPE, key))  # type: ignore[arg-type]
    assert tx == [(SCOPE, "keyChanged", "SK1", {"key": Key("SK1", None)})]
    assert key.secret == "secret"


@pytest.mark.parametrize("options", [{"subject": "identity"}, {"password": None}], ids=str)
def test_unknown_field_fails_at_import(options: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="key"):
        change_emitter(Key, "keyChanged", "key", **options)


@pytest.mark.parametrize(
    ("settings", "owner"),
    [(AccountSettings("AC1", "on"), "AC1"), (ServiceSettings("AC1", "IS1", "on"), "IS1")],
    ids=["of an account", "of a service"],
)
def test_settings_are_written_before_their_event_whose_subject_is_the_owner(
    settings: AccountSettings | ServiceSettings, owner: str
) -> None:
    tx = Steps()
    write: Any = Steps.write
    save: Any = settings_saver(type(settings), "settingsChanged", "settings", write)
    run(save(tx, SCOPE, settings))
    assert tx == [(SCOPE, settings), (SCOPE, "settingsChanged", owner, {"settings": settings})]
