"""Notification settings as rows: one for each service that ever set any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import insert, statement, update, values_of

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class NotificationTemplate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one kind of event is pushed. What was never set, or was cleared, is None."""

    enabled: bool = False
    template: str | None = None
    badge_count_enabled: bool | None = None
    sound: str | None = None
    with_media: NotificationTemplate | None = None
    """For new messages that have media."""


class ServiceNotification(msgspec.Struct, frozen=True):
    """The notification settings of one service."""

    account_sid: str
    service_sid: str
    log_enabled: bool = False
    new_message: NotificationTemplate = NotificationTemplate()
    added_to_conversation: NotificationTemplate = NotificationTemplate()
    removed_from_conversation: NotificationTemplate = NotificationTemplate()


class _Row(msgspec.Struct, frozen=True):
    """The columns: notices are JSON objects without the members that are None."""

    account_sid: str
    service_sid: str
    log_enabled: int
    new_message: str
    added_to_conversation: str
    removed_from_conversation: str


INSERT = insert("service_notification", _Row)
UPDATE = update("service_notification", _Row, key=("account_sid", "service_sid"))
FETCH = statement(
    "SELECT {columns} FROM service_notification WHERE account_sid = $1 AND service_sid = $2",
    _Row,
)

_read = msgspec.json.Decoder(NotificationTemplate).decode
_encode = msgspec.json.Encoder().encode


def _write(notice: NotificationTemplate) -> str:
    return _encode(notice).decode()


async def get_service_notification(tx: Transaction, scope: Scope) -> ServiceNotification:
    """The settings of the scope's service, as they were set or as they begin: all off."""
    found = await tx.one(FETCH, scope.account_sid, scope.service_sid)
    if found is None:
        return ServiceNotification(scope.account_sid, scope.service_sid)
    row = _Row(*found)
    return ServiceNotification(
        row.account_sid,
        row.service_sid,
        log_enabled=bool(row.log_enabled),
        new_message=_read(row.new_message),
        added_to_conversation=_read(row.added_to_conversation),
        removed_from_conversation=_read(row.removed_from_conversation),
    )


async def save_service_notification(
    tx: Transaction, scope: Scope, settings: ServiceNotification
) -> None:
    """Write every changeable column, of a new row if need be."""
    assert settings.service_sid == scope.service_sid
    row = _Row(
        settings.account_sid,
        settings.service_sid,
        int(settings.log_enabled),
        _write(settings.new_message),
        _write(settings.added_to_conversation),
        _write(settings.removed_from_conversation),
    )
    if not await tx.run(UPDATE, *values_of(row)):
        await tx.run(INSERT, *values_of(row))
