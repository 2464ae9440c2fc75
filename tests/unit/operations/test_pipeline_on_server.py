"""Operations on the server itself, and the gate in front of transactions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.operations.call import OperationResult
from parlour.operations.caller import Caller
from parlour.operations.pipeline import Pipeline
from parlour.protocol.vault import Vault
from parlour.vocabulary.clock import SystemRandom
from parlour.vocabulary.errors import ApiError
from tests.unit.operations.test_pipeline import ACCOUNT, PipelineSetup

if TYPE_CHECKING:
    from parlour.operations.call import Call

PARTS: Any = object()


async def parts_of(parts: object, call: Call[Any]) -> tuple[object, str]:
    """Return what an action on the server is called with."""
    return parts, call.scope.account_sid


def pipeline_of(bench: PipelineSetup) -> Pipeline:
    return Pipeline(
        bench.store,  # type: ignore[arg-type]
        Vault(bytes(32), SystemRandom().token),
        on_login_revoked=bench.revoked.append,
        server_parts=PARTS,
    )


def run(pipeline: Pipeline, call: Call[Any]) -> OperationResult:
    return asyncio.run(pipeline.run(call, lambda *_: b""))


def test_an_action_on_the_server_runs_outside_of_transactions() -> None:
    bench = PipelineSetup()
    call = bench.call(spec={"on_server": parts_of, "status": 200})
    assert run(pipeline_of(bench), call) == OperationResult(200, (PARTS, ACCOUNT))
    assert bench.store.steps == []


def test_a_user_may_not_call_an_operation_on_the_server() -> None:
    bench = PipelineSetup()
    alice = Caller(ACCOUNT, "SK1", "alice")
    call = bench.call(spec={"on_server": parts_of, "status": 200}, caller=alice)
    with pytest.raises(ApiError) as refused:
        run(pipeline_of(bench), call)
    assert (refused.value.status, refused.value.code) == (403, 50107)


def test_a_call_passes_the_gate_before_its_transaction() -> None:
    bench = PipelineSetup()
    pipeline = pipeline_of(bench)

    async def gate(account_sid: str) -> None:
        bench.store.steps.append(f"gate of {account_sid}")

    pipeline.gate = gate
    run(pipeline, bench.call())
    assert bench.store.steps == [f"gate of {ACCOUNT}", "begin write", "action", "commit"]
