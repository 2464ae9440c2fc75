"""Baseline A: responds with a constant of the size of Parlour's response, and does nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from bench.baselines.update_handling import Receive, Scope, Send, answer

BODY = Path(os.environ["BENCH_BODY_FILE"]).read_bytes()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond to every request with the constant."""
    del scope, receive
    await answer(send, 200, BODY)
