"""Runs the server without scheduled jobs, so that their pending work can be seen."""

from __future__ import annotations

from parlour.cli.main import main
from parlour.operations.scheduler import Scheduler


async def start(_self: Scheduler) -> None:
    """Start no jobs."""


Scheduler.start = start  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
