"""All test functions: declared as collections, and bound to the parts that they act on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from parlour.operations.operation import Collection, Operation, operations_of
from parlour.testmode.accounts.routes import TEST_ACCOUNTS
from parlour.testmode.clock.routes import CLOCK, CLOCK_ADVANCE
from parlour.testmode.emulation.routes import EMULATION
from parlour.testmode.emulation.strict import check_names
from parlour.testmode.faults.routes import ALL_FAULTS, FAULTS
from parlour.testmode.reset.routes import RESET
from parlour.testmode.seeds.routes import SEED_CHECK, SEED_SCHEMA, SEEDS
from parlour.testmode.settlement.routes import SETTLEMENT
from parlour.testmode.snapshots.routes import SNAPSHOT_RESTORE, SNAPSHOTS
from parlour.testmode.triggers.routes import TRIGGERS

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.operation import ServerAction
    from parlour.operations.server_parts import ServerParts
    from parlour.testmode.wiring import TestMode

COLLECTIONS: tuple[Collection, ...] = (
    CLOCK,
    CLOCK_ADVANCE,
    SETTLEMENT,
    FAULTS,
    ALL_FAULTS,
    EMULATION,
    SEEDS,
    SEED_CHECK,
    SEED_SCHEMA,
    TRIGGERS,
    RESET,
    TEST_ACCOUNTS,
    SNAPSHOTS,
    SNAPSHOT_RESTORE,
)


def declared_operations() -> tuple[Operation, ...]:
    """Return all test functions as declared: their actions take a `TestMode`."""
    return tuple(each for collection in COLLECTIONS for each in operations_of(collection))


def bound_operations(test_mode: TestMode) -> tuple[Operation, ...]:
    """Return all test functions of a server: their actions act on its test mode."""
    return tuple(_bound(each, test_mode) for each in declared_operations())


def _bound(operation: Operation, test_mode: TestMode) -> Operation:
    action = operation.spec.on_server
    assert action is not None, operation.operation_id
    bound = partial(_run, action, test_mode)
    return replace(operation, spec=replace(operation.spec, on_server=bound))


async def _run(
    action: ServerAction, test_mode: TestMode, _parts: ServerParts, call: Call[Any]
) -> Any:
    # A misspelt criterion of a fault would make it act on all requests.
    check_names(call.operation, call.form)
    return await action(test_mode, call)
