"""An intruder and its victim in one place, and the state that must not have changed afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.security.tenants import owner_actions, phone_traffic
from tests.security.tenants.matrix import Matrix
from tests.security.tenants.targets import SID, MatrixTarget, Rows, rows_of, settle
from tests.security.tenants.twin_accounts import (
    PROXY,
    AccountObjects,
    ServiceObjects,
    add_only,
    build,
    sids_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.security.tenants.matrix import Cell


class IntruderAndVictim:
    """Two twins, built one after the other."""

    def __init__(self, target: MatrixTarget) -> None:
        """Build both, and record what the intruder sees before the victim exists."""
        self.target = target
        self.intruder = build(target)
        self.bystander = build(target)
        """Do nothing; called after one of the twins was built and before the other."""
        self.shown_before = owner_actions.dump(target, self.bystander)
        self.victim = build(target)
        add_only(target, self.victim)
        phone_traffic.prepare(target, self.victim)
        self.neighbour = target.make_account()
        target.set_numbers(self.neighbour.name, PROXY)
        self.hidden = frozenset(sids_of(target, self.victim))
        self.rows = rows_of(target, self.victim.sid)
        self.matrix = Matrix(
            self.intruder,
            self.victim,
            self.hidden,
            {each.sid: sids_of_service(target, self.intruder, each.sid) for each in self.services},
        )

    def note(self) -> None:
        """Compare the victim's rows with their present state."""
        self.rows = rows_of(self.target, self.victim.sid)

    @property
    def services(self) -> tuple[ServiceObjects, ServiceObjects]:
        """Return the intruder's services."""
        return self.intruder.services


def sids_of_service(
    target: MatrixTarget, world: AccountObjects, service_sid: str
) -> frozenset[str]:
    """Return the sids that belong only to one service of an account."""
    inside = rows_of_service(rows_of(target, world.sid), service_sid)
    found = _sids(row for rows in inside.values() for row in rows)
    return frozenset(found - {world.sid, world.account["MessagingServices"]})


def _sids(rows: Iterable[tuple[object, ...]]) -> set[str]:
    return {
        sid for row in rows for cell in row if isinstance(cell, str) for sid in SID.findall(cell)
    }


def rows_of_service(rows: Rows, service_sid: str) -> Rows:
    """Return the rows that name a service."""
    return {table: {row for row in found if service_sid in row} for table, found in rows.items()}


def changed(before: Rows, after: Rows) -> list[str]:
    """Return the differences between two states as text."""
    found = []
    for table in sorted(before | after):
        for what, rows in (
            ("lost or changed", before[table] - after[table]),
            ("new or changed", after[table] - before[table]),
        ):
            found += [f"{what} in {table}: {row}" for row in rows]
    return found


def run(target: MatrixTarget, cells: Iterable[Cell]) -> list[str]:
    """Return all errors of some cells."""
    return [each for cell in cells for each in cell.run(target)]


def victim_changes(pair: IntruderAndVictim) -> list[str]:
    """Return the differences in the victim's account."""
    settle(pair.target)
    return changed(pair.rows, rows_of(pair.target, pair.victim.sid))
