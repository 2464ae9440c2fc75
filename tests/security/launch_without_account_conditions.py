"""Runs the server without the stores' account conditions."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from parlour.cli.main import main
from parlour.store.postgres.transaction import PostgresReadTransaction, PostgresWriteTransaction

_CONDITION = re.compile(r"\b(\w+\.)?account_sid = (\$\d+|\w+\.account_sid)")


@cache
def without_conditions(sql: str) -> str:
    """Return the statement with every condition on an account true for all of them."""

    def always(found: re.Match[str]) -> str:
        value = found.group(2)
        return f"(CAST({value} AS TEXT) IS NOT NULL)" if value[0] == "$" else "(1 = 1)"

    return _CONDITION.sub(always, sql)


def take_down(kind: Any) -> None:
    """Run the statements of these transactions without account conditions."""
    for name in ("one", "all", "run"):
        original = getattr(kind, name)

        def asking(self: Any, sql: str, *arguments: object, _original: Any = original) -> Any:
            return _original(self, without_conditions(sql), *arguments)

        setattr(kind, name, asking)


if __name__ == "__main__":
    for each in (PostgresReadTransaction, PostgresWriteTransaction):
        take_down(each)
    main()
