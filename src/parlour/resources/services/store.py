"""Rows of services."""

from __future__ import annotations

import msgspec

from parlour.store.table import Table


class Service(msgspec.Struct, frozen=True):
    """One conversation service. Dates in milliseconds since 1970 UTC."""

    account_sid: str
    sid: str
    sequence: int
    friendly_name: str
    date_created: int
    date_updated: int


TABLE = Table("service", Service, key=("account_sid", "sid"))
insert_service = TABLE.inserter()
find_service = TABLE.finder()
list_services = TABLE.lister()
update_service_row = TABLE.updater()
"""For seeds: no operation of the API changes a service."""
delete_service_row = TABLE.deleter()
