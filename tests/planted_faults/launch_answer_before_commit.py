"""Run the server with a planted fault: the response is sent before its group commit."""

from __future__ import annotations

import time
from typing import Any

from parlour.cli.main import main
from parlour.store.sqlite.engine import SqliteStore

COMMIT_DELAY_SECONDS = 0.02

run_one = SqliteStore._run_one
commit = SqliteStore._commit


def run_one_and_answer(self: SqliteStore, waiting: Any) -> Any:
    """Return the action's outcome before the commit."""
    done = run_one(self, waiting)
    if done.error is not None:
        done.future.set_exception(done.error)
    elif not done.future.done():
        done.future.set_result(done.result)
    return done


def commit_late(self: SqliteStore) -> None:
    """Commit a little later than the responses."""
    time.sleep(COMMIT_DELAY_SECONDS)
    commit(self)


SqliteStore._run_one = run_one_and_answer  # type: ignore[method-assign]
SqliteStore._commit = commit_late  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
