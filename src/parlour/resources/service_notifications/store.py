"""Rows of notification settings: one for each service that has ever set any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.table import SettingsTable

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class NotificationTemplate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The template of one kind of push notification. Members that are not set are None."""

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
    """The columns: templates are JSON objects without the members that are None."""

    account_sid: str
    service_sid: str
    log_enabled: int
    new_message: str
    added_to_conversation: str
    removed_from_conversation: str


TABLE = SettingsTable("service_notification", _Row, key=("account_sid", "service_sid"))
_find = TABLE.finder()
_save = TABLE.saver()

_decode = msgspec.json.Decoder(NotificationTemplate).decode
_encode = msgspec.json.Encoder().encode


def _encode_text(template: NotificationTemplate) -> str:
    return _encode(template).decode()


async def get_service_notification(tx: Transaction, scope: Scope) -> ServiceNotification:
    """Return the settings of the scope's service; all are off by default."""
    row = await _find(tx, scope)
    if row is None:
        return ServiceNotification(scope.account_sid, scope.service_sid)
    return ServiceNotification(
        row.account_sid,
        row.service_sid,
        log_enabled=bool(row.log_enabled),
        new_message=_decode(row.new_message),
        added_to_conversation=_decode(row.added_to_conversation),
        removed_from_conversation=_decode(row.removed_from_conversation),
    )


async def save_service_notification(
    tx: Transaction, scope: Scope, settings: ServiceNotification
) -> None:
    """Insert or update the row of the settings."""
    row = _Row(
        settings.account_sid,
        settings.service_sid,
        int(settings.log_enabled),
        _encode_text(settings.new_message),
        _encode_text(settings.added_to_conversation),
        _encode_text(settings.removed_from_conversation),
    )
    await _save(tx, scope, row)
