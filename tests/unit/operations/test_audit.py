"""The roles of principals and the audit log, by calls of the pipeline on a real store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from parlour.operations.call import Call, OperationResult
from parlour.operations.caller import ACCOUNT, ADMIN, OPERATOR, SUPPORT, VIEW, Caller, Principal
from parlour.operations.pipeline import Pipeline
from parlour.operations.server_parts import ServerParts
from parlour.protocol.pages import PageRequest
from parlour.protocol.vault import Vault
from parlour.resources import account_setup
from parlour.resources.console_audit import retention as console_audit_retention
from parlour.resources.console_audit import store as console_audit_store
from parlour.resources.console_audit.store import AuditFilters
from parlour.resources.console_audit.trail import make_audit_trail
from parlour.resources.table import operations
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.errors import ApiError
from tests.unit.delivery.database import Database, run_on_database

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from parlour.store.transaction import Transaction

VAULT: Final = Vault(bytes(32), SystemRandom().token)
SID: Final = "AC" + "1" * 32
OPERATOR_SID: Final = "OP" + "2" * 32
SESSION: Final = "CS" + "3" * 32
BY_ID: Final = {each.operation_id: each for each in operations()}


def operator(role: str = ADMIN) -> Caller:
    """Return the caller of an operator's session in the account."""
    return Caller(SID, SID, principal=Principal(OPERATOR, OPERATOR_SID, role, SESSION))


BY_BASIC: Final = Caller(SID, SID)
OF_ACCOUNT: Final = Caller(SID, SID, principal=Principal(ACCOUNT, SID, ADMIN, SESSION))
ON_SERVER: Final = Caller("", OPERATOR_SID, principal=Principal(OPERATOR, OPERATOR_SID, ADMIN))


class PipelineOnDatabase:
    """A pipeline on a store with one account."""

    def __init__(self, database: Database, parts: ServerParts | None = None) -> None:
        self.database = database
        self.pipeline = Pipeline(
            database.store,
            VAULT,
            on_login_revoked=lambda _: None,
            server_parts=parts,
            audit=make_audit_trail(database.clock),
        )

    async def make_account(self) -> None:
        """Insert the account."""

        async def work(tx: Transaction) -> None:
            await account_setup.create_account(
                tx, VAULT, sid=SID, auth_token="a" * 32, friendly_name="Shop"
            )

        await self.database.store.write(work)

    async def call(
        self, caller: Caller, operation_id: str, *path: str, key: str | None = None, **form: str
    ) -> OperationResult:
        """Run a call."""
        operation = BY_ID[operation_id]
        names = [each[1:].partition("}")[0] for each in operation.path.split("/") if "{" in each]
        call: Call[Any] = Call(
            operation=operation,
            caller=caller,
            path=dict(zip(names, path, strict=True)),
            resource=operation.path,
            form={name: [text] for name, text in form.items()},
            page=PageRequest(0, 50, None),
            idempotency_key=key,
        )
        return await self.pipeline.run(call, lambda _call, _result: b"{}")

    async def lines(self) -> list[tuple[str, str, str, str]]:
        """Return operation, subject, account and principal of each line, newest first."""
        found = await self.database.read(
            console_audit_store.list_lines, AuditFilters(), PageRequest(0, 50, None)
        )
        return [
            (each.operation, each.subject_sid, each.account_sid, each.principal_name)
            for each in found
        ]


def run(folder: Path, scenario: Any) -> None:
    """Run a scenario on a pipeline with an account."""

    async def on(database: Database) -> None:
        made = PipelineOnDatabase(database)
        await made.make_account()
        await scenario(made)

    run_on_database(folder, on)


async def refusal(call: Coroutine[Any, Any, Any]) -> ApiError:
    """Return the error of a call."""
    with pytest.raises(ApiError) as raised:
        await call
    return raised.value


def test_changes_of_principals_are_recorded_and_changes_by_basic_are_not(tmp_path: Path) -> None:
    async def scenario(on: PipelineOnDatabase) -> None:
        await on.call(BY_BASIC, "CreateConversation")
        assert await on.lines() == []
        first = (await on.call(OF_ACCOUNT, "CreateConversation")).result.sid
        second = (await on.call(operator(), "CreateConversation", UniqueName="two")).result.sid
        await on.call(operator(), "DeleteConversation", "two")
        assert await on.lines() == [
            ("DeleteConversation", "two", SID, OPERATOR_SID),
            ("CreateConversation", second, SID, OPERATOR_SID),
            ("CreateConversation", first, SID, SID),
        ]

    run(tmp_path, scenario)


def test_a_line_names_role_session_and_date(tmp_path: Path) -> None:
    async def scenario(on: PipelineOnDatabase) -> None:
        await on.call(operator(), "CreateConversation")
        (line,) = await on.database.read(
            console_audit_store.list_lines, AuditFilters(), PageRequest(0, 50, None)
        )
        assert (line.principal_kind, line.role, line.session_sid) == (OPERATOR, ADMIN, SESSION)
        assert line.date == on.database.clock.now_ms()
        assert line.sid.startswith("AE")

    run(tmp_path, scenario)


def test_a_change_that_fails_leaves_no_line(tmp_path: Path) -> None:
    async def scenario(on: PipelineOnDatabase) -> None:
        await on.call(operator(), "CreateConversation", UniqueName="one")
        error = await refusal(on.call(operator(), "CreateConversation", UniqueName="one"))
        assert error.code == 50353
        await refusal(on.call(operator(), "DeleteConversation", "none"))
        assert len(await on.lines()) == 1

    run(tmp_path, scenario)


def test_a_repeated_request_is_recorded_once(tmp_path: Path) -> None:
    async def scenario(on: PipelineOnDatabase) -> None:
        for _ in range(2):
            await on.call(operator(), "CreateConversation", key="key")
        assert len(await on.lines()) == 1

    run(tmp_path, scenario)


@pytest.mark.parametrize("role", [VIEW, SUPPORT])
def test_a_role_without_changes_reads_only(tmp_path: Path, role: str) -> None:
    async def scenario(on: PipelineOnDatabase) -> None:
        error = await refusal(on.call(operator(role), "CreateConversation"))
        assert (error.status, error.code) == (403, 20403)
        assert role in error.message
        assert (await on.call(operator(role), "ListConversation")).result.records == []
        assert await on.lines() == []

    run(tmp_path, scenario)


def test_a_role_without_changes_is_refused_for_every_operation_that_may_change(
    tmp_path: Path,
) -> None:
    async def scenario(on: PipelineOnDatabase) -> None:
        for operation in operations():
            if not operation.writes or operation.has_endpoint:
                continue
            caller = operator(VIEW)
            if operation.for_operators:
                caller = Caller("", OPERATOR_SID, principal=caller.principal)
            path = [each for each in operation.path.split("/") if "{" in each]
            error = await refusal(on.call(caller, operation.operation_id, *path))
            assert (error.status, error.code) == (403, 20403), operation.operation_id

    run(tmp_path, scenario)


@pytest.mark.parametrize("form", ["short", "service"])
def test_a_conversation_that_an_operator_opens_is_recorded(tmp_path: Path, form: str) -> None:
    async def scenario(on: PipelineOnDatabase) -> None:
        made = (await on.call(BY_BASIC, "CreateConversation")).result
        operation, path = "FetchConversation", [made.sid]
        if form == "service":
            operation, path = "FetchServiceConversation", [made.service_sid, made.sid]
        for caller in (BY_BASIC, OF_ACCOUNT):
            assert (await on.call(caller, operation, *path)).result.sid == made.sid
        assert await on.lines() == []
        assert (await on.call(operator(VIEW), operation, *path)).result.sid == made.sid
        assert await on.lines() == [(operation, made.sid, SID, OPERATOR_SID)]

    run(tmp_path, scenario)


def test_the_console_is_not_shown_the_auth_token(tmp_path: Path) -> None:
    async def scenario(on: PipelineOnDatabase) -> None:
        for caller, token in ((BY_BASIC, "a" * 32), (OF_ACCOUNT, None), (operator(), None)):
            assert (await on.call(caller, "FetchAccount", SID)).result.auth_token == token

    run(tmp_path, scenario)


def test_accounts_and_operators_in_an_account_do_not_find_operations_for_operators(
    tmp_path: Path,
) -> None:
    async def scenario(on: PipelineOnDatabase) -> None:
        for caller in (BY_BASIC, OF_ACCOUNT, operator()):
            error = await refusal(on.call(caller, "ListOperatorAudit"))
            assert (error.status, error.code) == (404, 20404)
        assert (await on.call(ON_SERVER, "ListOperatorAudit")).result.records == []
        without_account = Caller("", SID, principal=Principal(ACCOUNT, SID, ADMIN))
        for caller in (ON_SERVER, without_account):
            error = await refusal(on.call(caller, "ListConversation"))
            assert (error.status, error.code) == (404, 20404)
        error = await refusal(on.call(without_account, "ListOperatorAudit"))
        assert (error.status, error.code) == (404, 20404)

    run(tmp_path, scenario)


class _Clients:
    """Connections of which none exists."""

    def close_client(self, _account_sid: str, _sid: str) -> bool:
        return False


def test_an_operation_on_the_server_is_recorded_before_it_runs(tmp_path: Path) -> None:
    async def on(database: Database) -> None:
        parts: Any = object.__new__(ServerParts)
        parts.connections = _Clients()
        made = PipelineOnDatabase(database, parts)
        await made.make_account()
        sid = "CN" + "0" * 32
        assert (await refusal(made.call(operator(), "DeleteConnection", sid))).status == 404
        assert await made.lines() == [("DeleteConnection", sid, SID, OPERATOR_SID)]

    run_on_database(tmp_path, on)


def test_old_lines_are_deleted_and_the_number_of_lines_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day_ms = 24 * 60 * 60 * 1000

    async def scenario(on: PipelineOnDatabase) -> None:
        assert await on.database.read(console_audit_retention.next_due_ms) is None
        for _ in range(5):
            await on.call(operator(), "CreateConversation")
            on.database.clock.advance(day_ms)
        now_ms = on.database.clock.now_ms()
        due_ms = await on.database.read(console_audit_retention.next_due_ms)
        assert due_ms == now_ms + 395 * day_ms + limits.RETENTION_SLACK_MS
        monkeypatch.setattr(limits, "CONSOLE_AUDIT_LINES_MAX", 3)
        assert await on.database.read(console_audit_retention.next_due_ms) <= now_ms
        newest = (await on.lines())[:3]
        await on.database.write(console_audit_retention.step)
        assert await on.lines() == newest
        on.database.clock.advance(399 * day_ms)
        await on.database.write(console_audit_retention.step)
        assert await on.lines() == newest[:1]

    run(tmp_path, scenario)


def test_a_read_is_recorded_again_after_an_hour(tmp_path: Path) -> None:
    async def scenario(on: PipelineOnDatabase) -> None:
        sid = (await on.call(BY_BASIC, "CreateConversation")).result.sid
        hour_ms = limits.CONSOLE_AUDIT_READ_SECONDS * 1000
        for step_ms, count in ((0, 1), (0, 1), (hour_ms - 1, 1), (1, 2), (hour_ms, 3)):
            on.database.clock.advance(step_ms)
            await on.call(operator(SUPPORT), "FetchConversation", sid)
            assert len(await on.lines()) == count
        # A change is recorded each time.
        for _ in range(2):
            await on.call(operator(), "UpdateConversation", sid, FriendlyName="x")
        assert len(await on.lines()) == 5

    run(tmp_path, scenario)


def test_the_memory_of_recorded_reads_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONSOLE_AUDIT_READS_MAX", 2)

    async def scenario(on: PipelineOnDatabase) -> None:
        made = [(await on.call(BY_BASIC, "CreateConversation")).result.sid for _ in range(3)]
        for sid in (*made, made[2], made[1], made[0]):
            await on.call(operator(), "FetchConversation", sid)
        subjects = [each[1] for each in await on.lines()]
        assert subjects == [made[0], made[2], made[1], made[0]]

    run(tmp_path, scenario)


def test_a_check_that_changes_nothing_is_no_change() -> None:
    assert {each.operation_id for each in operations() if each.spec.changes_nothing} == {
        "CreateTokenCheck",
        "CreateWebhookSignature",
    }
    trail = make_audit_trail(FakeClock())

    def call(operation_id: str, caller: Caller) -> Call[Any]:
        return Call(operation=BY_ID[operation_id], caller=caller, path={}, resource="", form={})

    assert not trail.covers(call("CreateTokenCheck", operator()))
    # A signature can be used, so an operator leaves one line.
    signature = call("CreateWebhookSignature", operator())
    assert trail.covers(signature)
    trail.note_read(signature)
    assert not trail.covers(signature)
    assert not trail.covers(call("CreateWebhookSignature", OF_ACCOUNT))
    token = call("CreateToken", operator())
    trail.note_read(token)
    assert trail.covers(token)
