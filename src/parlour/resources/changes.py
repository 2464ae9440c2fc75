"""Functions of actions that save a changed record and emit its event, derived from the record."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import TypeAlias

    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

R = TypeVar("R", bound=msgspec.Struct)

if TYPE_CHECKING:
    Write: TypeAlias = Callable[[Transaction, Scope, R], Coroutine[Any, Any, None]]


def change_emitter(
    record: type[R], event: str, member: str, *, subject: str = "sid", **masked: object
) -> Write[R]:
    """Return the function that emits a changed record as a ``member`` of the event's payload.

    ``subject`` is the field with the subject's SID. Fields with secrets are ``masked`` by a value.
    """
    assert {subject, *masked} <= set(record.__struct_fields__), member
    subject_of = attrgetter(subject)

    async def emit_change(tx: Transaction, scope: Scope, changed: R) -> None:
        shown = msgspec.structs.replace(changed, **masked) if masked else changed
        await tx.emit(scope, event, subject_sid=subject_of(changed), payload={member: shown})

    return emit_change


def settings_saver(record: type[R], event: str, member: str, write: Write[R]) -> Write[R]:
    """Return the function that writes settings of an account or service and emits the change."""
    owner = "service_sid" if "service_sid" in record.__struct_fields__ else "account_sid"
    emit = change_emitter(record, event, member, subject=owner)

    async def save_settings(tx: Transaction, scope: Scope, changed: R) -> None:
        await write(tx, scope, changed)
        await emit(tx, scope, changed)

    return save_settings
