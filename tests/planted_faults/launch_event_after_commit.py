"""Run the server with a planted fault: events are written in the next transaction."""

from __future__ import annotations

from typing import Any

from parlour.cli.main import main
from parlour.store.sqlite.transaction import APPEND, SqliteWriteTransaction

begin_group = SqliteWriteTransaction.begin_group
emit = SqliteWriteTransaction.emit


class Later:
    """A cursor that defers events to the next group."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor
        self.events: list[Any] = []

    def execute(self, sql: str, arguments: Any = ()) -> Any:
        """Execute anything but the append of an event."""
        if sql == APPEND:
            self.events.append(arguments)
            return None
        return self.cursor.execute(sql, arguments)


def begin_group_with_old_events(self: SqliteWriteTransaction) -> None:
    """Start a new group with the events of the previous one."""
    if not isinstance(self._cursor, Later):
        self._cursor = Later(self._cursor)  # type: ignore[assignment]
    begin_group(self)
    late, self._cursor.events = self._cursor.events, []  # type: ignore[attr-defined]
    for arguments in late:
        self._cursor.cursor.execute(APPEND, arguments)  # type: ignore[attr-defined]


SqliteWriteTransaction.begin_group = begin_group_with_old_events  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
