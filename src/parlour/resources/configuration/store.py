"""Rows of account configurations: one for each account, inserted with it."""

from __future__ import annotations

import msgspec

from parlour.store.table import SettingsTable


class Configuration(msgspec.Struct, frozen=True):
    """The settings of one account. Timers are ISO 8601 durations, None when off."""

    account_sid: str
    default_chat_service_sid: str
    default_messaging_service_sid: str | None
    default_inactive_timer: str | None
    default_closed_timer: str | None


TABLE = SettingsTable("configuration", Configuration, key=("account_sid",))
insert_configuration = TABLE.inserter()
get_configuration = TABLE.required_getter()
update_configuration_row = TABLE.updater()
