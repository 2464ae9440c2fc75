"""Rows of service configurations: one for each service, inserted with it."""

from __future__ import annotations

import msgspec

from parlour.store.table import SettingsTable


class ServiceConfiguration(msgspec.Struct, frozen=True):
    """The settings of one service. ``reachability_enabled`` is 0 or 1."""

    account_sid: str
    service_sid: str
    default_conversation_creator_role_sid: str
    default_conversation_role_sid: str
    default_chat_service_role_sid: str
    reachability_enabled: int


TABLE = SettingsTable(
    "service_configuration", ServiceConfiguration, key=("account_sid", "service_sid")
)
insert_service_configuration = TABLE.inserter()
find_service_configuration = TABLE.finder()
get_service_configuration = TABLE.required_getter()
update_service_configuration_row = TABLE.updater()
