"""Faults of an in-process server in test mode."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from parlour.operations.call import Call
from parlour.operations.caller import Caller
from parlour.testmode.clock.clock_control import AdvanceOrder
from parlour.testmode.faults.checks import checked_rule
from parlour.testmode.faults.parameters import CreateFault
from tests.events.in_process_server import ACCOUNT_SID, InProcessServer
from tests.events.webhook_backend import WebhookBackend

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from parlour.testmode.faults.fault import Fault
    from parlour.testmode.wiring import TestMode

ATTEMPTS = """
SELECT outcome, status, error_code, error FROM webhook_attempt WHERE event_name = $1 ORDER BY sid
"""
TIMEOUT_MS = 10_000


class FaultyServer(InProcessServer):
    """A server in test mode, and its faults."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, test=True)

    @property
    def mode(self) -> TestMode:
        """The test functions."""
        assert self.app.test_mode is not None
        return self.app.test_mode

    def fault(self, **form: Any) -> Fault:
        """Arm a fault, by its parameters."""
        fields = {
            name: value if isinstance(value, list) else [str(value)] for name, value in form.items()
        }
        return self.mode.faults.rules.create(ACCOUNT_SID, checked_rule(CreateFault.parse(fields)))

    async def own(self, operation_id: str, form: dict[str, str]) -> Any:
        """Run an operation of test mode, and return its result."""
        found = {each.operation_id: each for each in self.mode.operations()}
        call: Call[Any] = Call(
            operation=found[operation_id],
            caller=Caller(ACCOUNT_SID, ACCOUNT_SID),
            path={},
            resource=f"/{operation_id}",
            form={name: [value] for name, value in form.items()},
        )
        return (await self.app.pipeline.run(call, lambda *_: b"")).result

    async def settle(self) -> None:
        """Wait until nothing is left to happen."""
        result = await self.mode.settler.settle(TIMEOUT_MS)
        assert result.settled, result

    async def advance(self, by_ms: int) -> None:
        """Advance the clock, which is frozen from then on."""
        order = AdvanceOrder(self.mode.clock.now_ms() + by_ms, TIMEOUT_MS, 0)
        assert (await self.mode.clock_control.advance(order)).settled

    async def attempts(self, event: str) -> list[tuple[Any, ...]]:
        """Return outcome, status, error code and error of the attempts of an event."""
        rows = await self.store.read(lambda tx: tx.all(ATTEMPTS, event))
        return [tuple(row) for row in rows]


def run_with_faults(
    data: Path, scenario: Callable[[FaultyServer, WebhookBackend], Awaitable[None]]
) -> None:
    """Run a scenario on a new server with a customer's backend."""

    async def run() -> None:
        async with WebhookBackend() as backend, FaultyServer(data) as server:
            await scenario(server, backend)

    asyncio.run(run())
