"""The steps of a call: in order, in one transaction, and none after one that failed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from parlour.operations.access import allow_any_user
from parlour.operations.call import AcceptedResult, Call, OperationResult, RevokedLogin
from parlour.operations.caller import Caller
from parlour.operations.operation import Operation, OperationSpec, UrlForm
from parlour.operations.parameters import NoParameters, Parameters, form_field
from parlour.operations.pipeline import Pipeline
from parlour.operations.work_limit import WorkLimit
from parlour.protocol.vault import Vault
from parlour.store.transaction import DryRun
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import SILENT, Origin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.store.transaction import Transaction

ACCOUNT = "AC" + "0" * 32
SERVICE = "IS" + "0" * 32
API_KEY = "SK" + "0" * 32
FIRES = Origin(fires=True)
PRE_ACTION = "onThingAdd"


def _text(name: str, text: str) -> str:
    if text == "wrong":
        raise ApiError.invalid(name)
    return text


class NameParameters(Parameters):
    """Parameters with one field."""

    name: str = form_field("Name", _text)


@dataclass
class RecordingStore:
    """Is store and transaction in one, and records what the pipeline does with both."""

    is_shared: bool = False
    steps: list[Any] = field(default_factory=list)
    account_sids: list[str] = field(default_factory=list)
    conflict_scopes: list[Any] = field(default_factory=list)
    stored: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    now: int = 1_000_000_000

    async def _transaction(self, kind: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
        self.steps.append(f"begin {kind}")
        try:
            result = await work(self)
        except ApiError:
            self.steps.append("rollback")
            raise
        self.steps.append("rollback" if kind == "dry run" else "commit")
        return result

    async def read(self, work: Any, *, account_sid: str) -> Any:
        self.account_sids.append(account_sid)
        return await self._transaction("read", work)

    async def write(
        self, work: Any, origin: Origin, *, account_sid: str, conflict_scope: Any
    ) -> Any:
        self.account_sids.append(account_sid)
        self.conflict_scopes.append(conflict_scope)
        assert isinstance(origin, Origin)
        return await self._transaction("write", work)

    async def dry_run(self, work: Any, _origin: Origin, *, account_sid: str) -> Any:
        self.account_sids.append(account_sid)
        stored = dict(self.stored)
        result = await self._transaction("dry run", work)
        self.stored = stored
        return DryRun(result, ())

    async def visible_through(self) -> int:
        self.steps.append("position")
        return 7

    async def lock_name(self, *names: str) -> None:
        self.steps.append(("lock", *names))

    async def one(self, _sql: str, *values: Any) -> Any:
        return self.stored.get(values[2])

    async def run(self, sql: str, *values: Any) -> int:
        if "INSERT" in sql:
            self.stored[values[2]] = values[3:6]
        return 1


class Hook:
    """A pre-action webhook that is subscribed, and amends the name or rejects the call."""

    def __init__(
        self, store: RecordingStore, *, is_subscribed: bool = True, rejects: bool = False
    ) -> None:
        self._store = store
        self._is_subscribed = is_subscribed
        self._rejects = rejects
        self.forms: list[Any] = []
        self.in_work: list[int] = []
        self.limit: WorkLimit | None = None

    async def wants(self, _tx: Transaction, call: Call[Any]) -> bool:
        assert call.operation.spec.pre_action == PRE_ACTION
        return self._is_subscribed

    async def amend(self, call: Call[Any], dry_run: DryRun[Any]) -> Parameters:
        self._store.steps.append("pre-action webhook")
        self.forms.append(call.form)
        if self.limit is not None:
            self.in_work.append(self.limit.in_work)
        if self._rejects:
            raise ApiError(50056, status=403)
        return NameParameters(name=f"amended {dry_run.result.result}")


class Rates:
    """Action rates that are recorded."""

    def __init__(self, store: RecordingStore) -> None:
        self._store = store

    async def count(self, _tx: Transaction, _call: Call[Any]) -> None:
        self._store.steps.append("rate")


class PipelineSetup:
    """A pipeline on a recording store, and an operation whose action is recorded."""

    def __init__(self, *, is_shared: bool = False) -> None:
        self.store = RecordingStore(is_shared=is_shared)
        self.revoked: list[str] = []
        self.hook: Hook | None = None
        self.rates: Rates | None = None
        self.result: Any = None

    async def _action(self, _tx: Any, call: Call[Any]) -> Any:
        self.store.steps.append("action")
        if call.operation.spec.parameters is NoParameters:
            return self.result
        return call.parameters.name if self.result is None else self.result

    async def _permits(self, tx: Transaction, call: Call[Any]) -> None:
        self.store.steps.append("permission")
        await allow_any_user(tx, call)

    def call(self, *, spec: dict[str, Any] | None = None, **values: Any) -> Call[Any]:
        """Return a call of a POST with one parameter; ``spec`` overrides its declaration."""
        operation_values = {
            name: values.pop(name)
            for name in ("is_setting", "needs_auth_token", "method")
            if name in values
        }
        method = operation_values.pop("method", "POST")
        declared: dict[str, Any] = {
            "verb": "Create",
            "method": method,
            "on_instance": False,
            "status": 201,
            "action": self._action,
            "parameters": NameParameters,
            "permits": self._permits,
        }
        operation = Operation(
            operation_id="CreateThing",
            method=method,
            path="/v1/Things",
            url_form=UrlForm.ACCOUNT,
            spec=OperationSpec(**(declared | (spec or {}))),
            represent=lambda record, _view: record,
            **operation_values,
        )
        given: dict[str, Any] = {
            "caller": Caller(ACCOUNT, ACCOUNT),
            "path": {},
            "resource": "/Things",
            "form": {"Name": ["first"]},
        }
        return Call(operation=operation, **(given | values))

    def run(self, *calls: Call[Any]) -> list[OperationResult]:
        """Run calls one after the other in one pipeline."""
        pipeline = Pipeline(
            self.store,  # type: ignore[arg-type]
            Vault(bytes(32), SystemRandom().token),
            on_login_revoked=self.revoked.append,
            pre_action_hook=self.hook,  # type: ignore[arg-type]
            action_rates=self.rates,  # type: ignore[arg-type]
        )

        async def run() -> list[OperationResult]:
            return [await pipeline.run(call, _rendered) for call in calls]

        return asyncio.run(run())


def _rendered(_call: Call[Any], result: OperationResult) -> bytes:
    return str(result.result).encode()


def test_a_read_runs_in_one_read_transaction_of_its_account() -> None:
    bench = PipelineSetup()
    call = bench.call(method="GET", spec={"status": 200})
    assert bench.run(call) == [OperationResult(200, "first")]
    assert bench.store.steps == ["begin read", "action", "commit"]
    assert bench.store.account_sids == [ACCOUNT]
    assert call.scope.account_sid == ACCOUNT


def test_a_change_runs_in_one_write_transaction_of_its_account() -> None:
    bench = PipelineSetup()
    assert bench.run(bench.call()) == [OperationResult(201, "first")]
    assert bench.store.steps == ["begin write", "action", "commit"]
    assert bench.store.account_sids == [ACCOUNT]
    assert bench.revoked == []


def test_steps_of_a_transaction_run_in_order() -> None:
    bench = PipelineSetup()
    bench.rates = Rates(bench.store)
    bench.run(bench.call(is_setting=True, caller=Caller(ACCOUNT, "AC", "alice")))
    assert bench.store.steps == [
        "begin write",
        ("lock", "settings", ACCOUNT),
        "permission",
        "rate",
        "action",
        "commit",
    ]


def test_the_position_of_a_list_is_read_before_its_rows_if_it_is_wanted() -> None:
    bench = PipelineSetup()
    wanting = bench.call(method="GET", spec={"status": 200}, wants_event_cursor=True)
    bench.run(wanting)
    assert bench.store.steps == ["begin read", "position", "action", "commit"]
    assert wanting.event_cursor is not None
    cursors = Vault(bytes(32), SystemRandom().token).event_cursors
    assert cursors.parse(ACCOUNT, wanting.event_cursor) == 7
    other = bench.call(method="GET", spec={"status": 200})
    bench.run(other)
    assert other.event_cursor is None


def test_an_account_needs_no_permission() -> None:
    bench = PipelineSetup()
    bench.run(bench.call(spec={"permits": None}))
    assert "action" in bench.store.steps


def test_a_user_without_permission_is_rejected_and_the_action_not_run() -> None:
    bench = PipelineSetup()
    bench.rates = Rates(bench.store)
    call = bench.call(spec={"permits": None}, caller=Caller(ACCOUNT, "AC", "alice"))
    with pytest.raises(ApiError) as caught:
        bench.run(call)
    assert caught.value.code == 50107
    assert bench.store.steps == ["begin write", "rollback"]


def test_a_form_error_is_raised_by_the_action_within_the_transaction() -> None:
    bench = PipelineSetup()
    with pytest.raises(ApiError) as caught:
        bench.run(bench.call(form={"Name": ["wrong"]}))
    assert caught.value.code == 20001
    assert bench.store.steps == ["begin write", "action", "rollback"]


def test_a_form_error_is_not_raised_by_an_action_that_reads_no_parameters() -> None:
    bench = PipelineSetup()
    bench.result = "found"

    async def action(_tx: Any, _call: Any) -> str:
        return "found"

    call = bench.call(form={"Name": ["wrong"]}, spec={"action": action})
    assert bench.run(call) == [OperationResult(201, "found")]


@pytest.mark.parametrize(
    ("login", "identity", "is_rejected"),
    [(API_KEY, None, True), (ACCOUNT, None, False), (API_KEY, "alice", False)],
)
def test_an_api_key_is_rejected_where_the_auth_token_is_required(
    login: str, identity: str | None, *, is_rejected: bool
) -> None:
    bench = PipelineSetup()
    call = bench.call(needs_auth_token=True, caller=Caller(ACCOUNT, login, identity))
    if not is_rejected:
        assert bench.run(call)[0].status == 201
        return
    with pytest.raises(ApiError) as caught:
        bench.run(call)
    assert (caught.value.code, bench.store.steps) == (20403, [])


def test_an_accepted_result_brings_its_own_status() -> None:
    bench = PipelineSetup()
    bench.result = AcceptedResult(202, "later")
    call = bench.call(spec={"other_statuses": (202,)})
    assert bench.run(call) == [OperationResult(202, "later")]


def test_a_status_that_the_operation_does_not_declare_is_a_bug() -> None:
    bench = PipelineSetup()
    bench.result = AcceptedResult(299, "later")
    with pytest.raises(AssertionError):
        bench.run(bench.call())


def test_a_revoked_login_is_reported_after_the_commit() -> None:
    bench = PipelineSetup()
    bench.result = RevokedLogin(API_KEY)
    found = bench.run(bench.call(spec={"status": 204}))
    assert found == [OperationResult(204, None, revoked=API_KEY)]
    assert (bench.revoked, bench.store.steps[-1]) == ([API_KEY], "commit")


@pytest.mark.parametrize("is_shared", [False, True])
def test_only_a_shared_store_gets_the_conflict_scope(*, is_shared: bool) -> None:
    bench = PipelineSetup(is_shared=is_shared)
    bench.run(bench.call(spec={"conflict_scope": lambda call: call.resource}))
    assert bench.store.conflict_scopes == ["/Things" if is_shared else None]


@pytest.mark.parametrize("pre_action", [None, PRE_ACTION])
@pytest.mark.parametrize("origin", [SILENT, FIRES])
@pytest.mark.parametrize("is_subscribed", [False, True])
def test_a_pre_action_webhook_is_called_for_an_event_that_fires_and_has_a_subscriber(
    pre_action: str | None, origin: Origin, *, is_subscribed: bool
) -> None:
    bench = PipelineSetup()
    bench.hook = Hook(bench.store, is_subscribed=is_subscribed)
    found = bench.run(bench.call(origin=origin, spec={"pre_action": pre_action}))
    if pre_action and origin.fires and is_subscribed:
        assert found == [OperationResult(201, "amended first")]
        assert bench.store.steps == [
            "begin write",
            "commit",
            "begin dry run",
            "action",
            "rollback",
            "pre-action webhook",
            "begin write",
            "action",
            "commit",
        ]
        assert bench.store.account_sids == [ACCOUNT] * 3
    else:
        assert found == [OperationResult(201, "first")]
        assert bench.store.steps == ["begin write", "action", "commit"]


def test_a_call_that_fires_runs_without_a_hook() -> None:
    bench = PipelineSetup()
    assert bench.run(bench.call(origin=FIRES, spec={"pre_action": PRE_ACTION}))[0].status == 201


def test_a_rejected_call_changes_nothing() -> None:
    bench = PipelineSetup()
    bench.hook = Hook(bench.store, rejects=True)
    with pytest.raises(ApiError) as caught:
        bench.run(bench.call(origin=FIRES, spec={"pre_action": PRE_ACTION}))
    assert (caught.value.code, caught.value.status) == (50056, 403)
    assert bench.store.steps[-2:] == ["rollback", "pre-action webhook"]


def test_an_invalid_call_does_not_reach_the_webhook() -> None:
    bench = PipelineSetup()
    bench.hook = Hook(bench.store)
    with pytest.raises(ApiError) as caught:
        bench.run(
            bench.call(origin=FIRES, spec={"pre_action": PRE_ACTION}, form={"Name": ["wrong"]})
        )
    assert caught.value.code == 20001
    assert "pre-action webhook" not in bench.store.steps


def test_a_call_keeps_only_the_used_part_of_its_form_while_the_webhook_is_called() -> None:
    bench = PipelineSetup()
    bench.hook = Hook(bench.store)
    form = {"Name": ["first"], "Unknown": ["x" * 1000]}
    bench.run(bench.call(origin=FIRES, spec={"pre_action": PRE_ACTION}, form=form))
    assert bench.hook.forms == [{"Name": ["first"]}]


@pytest.mark.parametrize("rejects", [False, True])
def test_the_work_slot_is_free_while_the_webhook_is_called(*, rejects: bool) -> None:
    bench = PipelineSetup()
    bench.hook = Hook(bench.store, rejects=rejects)
    limit = bench.hook.limit = WorkLimit(FakeClock(), 10, lambda: 0.0)
    call = bench.call(origin=FIRES, spec={"pre_action": PRE_ACTION}, work=limit.enter())
    if rejects:
        with pytest.raises(ApiError):
            bench.run(call)
    else:
        bench.run(call)
    assert bench.hook.in_work == [0]
    assert limit.in_work == 1


def test_a_repeated_idempotency_key_gets_the_stored_response() -> None:
    bench = PipelineSetup()
    first, second = bench.run(bench.call(idempotency_key="key"), bench.call(idempotency_key="key"))
    assert first == OperationResult(201, "first")
    assert second == OperationResult(201, None, b"first")
    assert bench.store.steps.count("action") == 1


def test_the_webhook_is_not_called_again_for_a_repeated_idempotency_key() -> None:
    bench = PipelineSetup()
    bench.hook = Hook(bench.store)
    calls = [
        bench.call(idempotency_key="key", origin=FIRES, spec={"pre_action": PRE_ACTION})
        for _ in range(2)
    ]
    first, second = bench.run(*calls)
    assert first == OperationResult(201, "amended first")
    assert second == OperationResult(201, None, b"amended first")
    assert bench.store.steps.count("pre-action webhook") == 1


def test_an_idempotency_key_with_another_body_is_rejected() -> None:
    bench = PipelineSetup()
    with pytest.raises(ApiError) as caught:
        bench.run(
            bench.call(idempotency_key="key"),
            bench.call(idempotency_key="key", form={"Name": ["second"]}),
        )
    assert (caught.value.code, caught.value.status) == (20422, 422)
