"""The server's clock jumps forward and back: dates of changed rows do not follow it back."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import parlour.app
from parlour.operations import purge
from parlour.resources.accounts import actions as account_actions
from parlour.resources.accounts import store as account_store
from parlour.resources.messages import receipt_store as message_receipt_store
from parlour.resources.receipts import actions as receipt_actions
from parlour.resources.receipts.statuses import StatusReport
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock
from parlour.vocabulary.origin import Origin
from parlour.vocabulary.scope import Scope
from tests.events.in_process_server import InProcessServer
from tests.events.webhook_backend import WebhookBackend, respond_with
from tests.support.machine_pressure import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from parlour.store.transaction import Transaction

HOUR_MS = 3_600_000
JUMPS = (0, 72 * HOUR_MS, -HOUR_MS, 0, 72 * HOUR_MS + 1000, -30 * 24 * HOUR_MS)
PERMISSION = "createConversation"
STEP = 2
NOTES = "SELECT count(*) FROM purge"
REMAINING = "SELECT count(*) FROM message WHERE account_sid = $1"
SECONDS_MAX = 20.0
FIRES = Origin("API", None, fires=True)
PAST, FUTURE = "2001-02-03T04:05:06Z", "2101-02-03T04:05:06Z"


class JumpingClock(SystemClock):
    """The machine's clock with an offset that a test sets."""

    offset_ms = 0

    def now_ms(self) -> int:
        """Return milliseconds since 1970, plus the offset."""
        return super().now_ms() + JumpingClock.offset_ms


@pytest.fixture(autouse=True)
def _jumping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JumpingClock, "offset_ms", 0)
    monkeypatch.setattr(parlour.app, "SystemClock", JumpingClock)


class Dates:
    """The dates of rows, and their errors after a change."""

    def __init__(self) -> None:
        self.latest: dict[str, int] = {}
        self.wrong: list[str] = []

    def see(self, name: str, row: Any) -> None:
        """Compare with the row's earlier values."""
        if row.date_updated < row.date_created:
            self.wrong.append(f"{name}: updated before it was created")
        if row.date_updated < self.latest.get(name, 0):
            self.wrong.append(f"{name}: went back")
        self.latest[name] = row.date_updated


async def _set_up(instance: InProcessServer) -> dict[str, tuple[dict[str, Any], dict[str, str]]]:
    """One row of each resource that can be updated: by the operation, its form and its path."""
    conversation = await instance.do("CreateConversation")
    here = {"ConversationSid": conversation.sid}
    user = await instance.do("CreateUser", {"Identity": "alice"})
    participant = await instance.do("CreateConversationParticipant", {"Identity": "alice"}, **here)
    message = await instance.send_message(conversation.sid, "first")
    webhook = await instance.attach(
        conversation.sid, Url="https://example.com/", Filters="onMessageAdded"
    )
    role = {"FriendlyName": "r", "Type": "service", "Permission": PERMISSION}
    made = await instance.do("CreateRole", role)
    address = {"Type": "sms", "Address": "+15558675310"}
    configured = await instance.do("CreateConfigurationAddress", address)
    credential = await instance.do("CreateCredential", {"Type": "fcm", "Secret": "s"})
    service = await instance.do("CreateService", {"FriendlyName": "s"})
    other = {"ChatServiceSid": service.sid}
    away = await instance.do("CreateServiceConversation", **other)
    body = {"Body": "other"}
    return {
        "UpdateConversation": ({"FriendlyName": "f"}, {"Sid": conversation.sid}),
        "UpdateUser": ({"FriendlyName": "f"}, {"Sid": user.sid}),
        "UpdateConversationParticipant": ({"Attributes": "{}"}, here | {"Sid": participant.sid}),
        "UpdateConversationMessage": (body, here | {"Sid": message.sid}),
        "UpdateConversationScopedWebhook": (
            {"Configuration.Method": "POST"},
            here | {"Sid": webhook.sid},
        ),
        "UpdateRole": ({"Permission": PERMISSION}, {"Sid": made.sid}),
        "UpdateConfigurationAddress": ({"FriendlyName": "f"}, {"Sid": configured.sid}),
        "UpdateCredential": ({"FriendlyName": "f"}, {"Sid": credential.sid}),
        "UpdateServiceConversation": ({"FriendlyName": "f"}, other | {"Sid": away.sid}),
    }


async def _account(scope: Scope, tx: Transaction) -> Any:
    await account_actions.set_account_status(tx, scope, "active")
    return await account_store.find_account(tx, scope)


async def _add_receipt(scope: Scope, message: Any, tx: Transaction) -> str:
    made = message_receipt_store.Receipt(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        conversation_sid=message.conversation_sid,
        message_sid=message.sid,
        sid=tx.new_sid("DY"),
        sequence=tx.next_sequence(),
        participant_sid="MB" + "0" * 32,
        channel_message_sid=None,
        status=None,
        error_code=0,
        date_created=tx.now,
        date_updated=tx.now,
    )
    await message_receipt_store.insert_receipt(tx, scope, made)
    return made.sid


async def _report(scope: Scope, sid: str, status: str, tx: Transaction) -> Any:
    assert await receipt_actions.record_status(tx, scope, sid, StatusReport(status, 0))
    return await message_receipt_store.find_receipt(tx, scope, sid)


async def _receipt_dates(folder: Path) -> Dates:
    dates = Dates()
    async with InProcessServer(folder) as instance:
        conversation = await instance.do("CreateConversation")
        message = await instance.send_message(conversation.sid, "first")
        sid = await instance.store.write(partial(_add_receipt, instance.scope, message))
        for status, offset_ms in (("sent", 0), ("delivered", 72 * HOUR_MS), ("read", -HOUR_MS)):
            JumpingClock.offset_ms = offset_ms
            dates.see(
                sid, await instance.store.write(partial(_report, instance.scope, sid, status))
            )
    return dates


def test_dates_of_receipts_do_not_go_back_with_the_clock(tmp_path: Path) -> None:
    assert asyncio.run(_receipt_dates(tmp_path)).wrong == []


async def _jump(folder: Path) -> Dates:
    dates = Dates()
    async with InProcessServer(folder) as instance:
        rows = await _set_up(instance)
        account = Scope(instance.scope.account_sid)
        for offset_ms in JUMPS:
            JumpingClock.offset_ms = offset_ms
            for operation_id, (form, path) in rows.items():
                dates.see(operation_id, await instance.do(operation_id, form, **path))
            dates.see("account", await instance.store.write(partial(_account, account)))
            new = await instance.do("CreateConversation")
            dates.see(new.sid, new)
            renamed = await instance.do("UpdateConversation", {"FriendlyName": "n"}, Sid=new.sid)
            dates.see(new.sid, renamed)
    assert len(dates.latest) == len(rows) + 1 + len(JUMPS)
    return dates


def test_dates_of_changed_rows_do_not_go_back_with_the_clock(tmp_path: Path) -> None:
    assert asyncio.run(_jump(tmp_path)).wrong == []


async def _client_dates(folder: Path) -> None:
    async with InProcessServer(folder) as instance:
        for given in (FUTURE, PAST):
            form = {"DateCreated": given, "DateUpdated": given}
            made = await instance.do("CreateConversation", form)
            here = {"ConversationSid": made.sid}
            member = await instance.do(
                "CreateConversationParticipant", form | {"Identity": "alice"}, **here
            )
            message = await instance.send_message(made.sid, "b", **form)
            set_again = {"DateUpdated": PAST}
            for operation_id, path in (
                ("UpdateConversationMessage", here | {"Sid": message.sid}),
                ("UpdateConversationParticipant", here | {"Sid": member.sid}),
                ("UpdateConversation", {"Sid": made.sid}),
            ):
                changed = await instance.do(operation_id, {"Attributes": "{}"}, **path)
                assert changed.date_updated >= changed.date_created, operation_id
                stays = await instance.do(operation_id, set_again, **path)
                assert stays.date_updated < stays.date_created or given == PAST, operation_id
                assert stays.date_updated == 981173106000, operation_id


def test_dates_that_a_client_sets_stay_as_set(tmp_path: Path) -> None:
    asyncio.run(_client_dates(tmp_path))


async def _until(look: Callable[[], Awaitable[bool]]) -> None:
    watch = Stopwatch()
    while not await look():
        assert not watch.is_over(SECONDS_MAX)
        await asyncio.sleep(0.02)


async def _failing_lane(folder: Path) -> list[str]:
    async with WebhookBackend() as backend, InProcessServer(folder) as instance:
        conversation = await instance.do("CreateConversation")
        await instance.attach(conversation.sid, Url=backend.url("/hook"), Filters="onMessageAdded")
        backend.responders["/hook"] = respond_with(500)
        JumpingClock.offset_ms = 72 * HOUR_MS

        async def is_received(count: int) -> bool:
            return len(backend.requests_to("/hook")) >= count

        for body in ("one", "two"):
            await instance.send_message(conversation.sid, body, origin=FIRES)
        await _until(partial(is_received, 2))  # The first of them, and its retry.
        JumpingClock.offset_ms = 0
        del backend.responders["/hook"]
        await instance.send_message(conversation.sid, "three", origin=FIRES)
        await instance.wait_until_idle()
        return [request.values["Body"] for request in backend.requests_to("/hook")]


@pytest.mark.slow
def test_a_failing_webhook_is_retried_after_the_clock_was_set_back(tmp_path: Path) -> None:
    bodies = asyncio.run(_failing_lane(tmp_path))
    assert bodies[-3:] == ["one", "two", "three"]


async def _failing_lane_at_a_start(folder: Path) -> list[str]:
    async with WebhookBackend() as backend:
        backend.responders["/hook"] = respond_with(500)
        async with InProcessServer(folder) as instance:
            conversation = await instance.do("CreateConversation")
            await instance.attach(
                conversation.sid, Url=backend.url("/hook"), Filters="onMessageAdded"
            )
            JumpingClock.offset_ms = 72 * HOUR_MS
            await instance.send_message(conversation.sid, "one", origin=FIRES)

            async def is_retried() -> bool:
                return len(backend.requests_to("/hook")) > 1

            await _until(is_retried)  # So the time of a retry is in the queue.
        JumpingClock.offset_ms = 0
        failed = len(backend.requests_to("/hook"))
        del backend.responders["/hook"]
        async with InProcessServer(folder, database=instance.database) as instance:
            await instance.wait_until_idle()
        return [request.values["Body"] for request in backend.requests_to("/hook")[failed:]]


@pytest.mark.slow
def test_a_failing_webhook_is_retried_at_a_start_after_the_clock_was_set_back(
    tmp_path: Path,
) -> None:
    assert asyncio.run(_failing_lane_at_a_start(tmp_path)) == ["one"]


async def _timer(folder: Path) -> None:
    async with InProcessServer(folder) as instance:
        JumpingClock.offset_ms = 72 * HOUR_MS
        form = {"Timers.Inactive": "PT1M", "Timers.Closed": "PT10M"}
        made = await instance.do("CreateConversation", form)
        open_conversation = await instance.do("CreateConversation", {"Timers.Closed": "P30D"})
        await asyncio.sleep(0)
        JumpingClock.offset_ms = 0

        async def are_capped() -> bool:
            seen = await instance.do("FetchConversation", Sid=made.sid)
            longer = await instance.do("FetchConversation", Sid=open_conversation.sid)
            now_ms = JumpingClock().now_ms()
            return (
                seen.date_inactive <= now_ms + 60_000
                and seen.date_closed <= now_ms + 600_000
                and longer.date_closed <= now_ms + 30 * 24 * HOUR_MS
            )

        await _until(are_capped)


def test_timers_of_conversations_end_in_time_after_the_clock_was_set_back(tmp_path: Path) -> None:
    asyncio.run(_timer(tmp_path))


async def _removal(folder: Path) -> None:
    async with InProcessServer(folder) as instance:
        JumpingClock.offset_ms = 72 * HOUR_MS
        made = await instance.do("CreateConversation")
        await instance.send_message(made.sid, "first")
        JumpingClock.offset_ms = 0
        await instance.do("DeleteConversation", Sid=made.sid)
        account = instance.scope.account_sid

        async def is_gone() -> bool:
            row = await instance.store.read(lambda tx: tx.one(REMAINING, account))
            assert row is not None
            return bool(row[0] == 0)

        await _until(is_gone)


def test_deleted_objects_are_purged_after_the_clock_was_set_back(tmp_path: Path) -> None:
    asyncio.run(_removal(tmp_path))


async def _records_are_deleted(instance: InProcessServer) -> bool:
    row = await instance.store.read(lambda tx: tx.one(NOTES))
    assert row is not None
    return bool(row[0] == 0)


async def _note(kind: str, scope: Scope, tx: Transaction) -> None:
    """Queue a purge that is due in three days, as if the clock had been ahead."""
    due = (tx.now + 72 * HOUR_MS) * 1000
    await tx.run(purge.ENQUEUE, scope.account_sid, f"{kind}{due:032}", kind, due)


async def _removal_of_the_future(folder: Path) -> None:
    async with InProcessServer(folder) as instance:
        await instance.store.write(partial(_note, purge.CONVERSATION, instance.scope))
        await _until(partial(_records_are_deleted, instance))


def test_objects_deleted_before_the_clock_was_set_back_are_purged(tmp_path: Path) -> None:
    asyncio.run(_removal_of_the_future(tmp_path))


async def _restart(folder: Path) -> None:
    form = {"Timers.Closed": "PT10M"}
    async with InProcessServer(folder) as instance:
        JumpingClock.offset_ms = 72 * HOUR_MS
        made = [(await instance.do("CreateConversation", form)).sid for _ in range(2 * STEP + 1)]
        await instance.store.write(partial(_note, purge.SERVICE, instance.scope))
    JumpingClock.offset_ms = 0
    async with InProcessServer(folder, database=instance.database) as instance:

        async def are_capped() -> bool:
            latest_ms = JumpingClock().now_ms() + 600_000
            seen = [await instance.do("FetchConversation", Sid=sid) for sid in made]
            return all(each.date_closed <= latest_ms for each in seen)

        await _until(are_capped)
        await _until(partial(_records_are_deleted, instance))


def test_a_start_after_the_clock_was_set_back_caps_every_timer_and_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TIMERS_PER_STEP_MAX", STEP)
    asyncio.run(_restart(tmp_path))
