"""Faults of carriers: a virtual phone behaves differently towards single messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.testmode.clock.steered_clock import ClockMode
from tests.testmode.faults.in_process import FaultyServer, run_with_faults

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.webhook_backend import WebhookBackend

PHONE, PROXY = "+15550100", "+15550999"
RECEIPTS = """
SELECT r.status, r.error_code FROM receipt r JOIN message m ON m.sid = r.message_sid
ORDER BY m.message_index
"""
REPORTS = "SELECT status FROM virtual_phone_report ORDER BY sequence"


async def _conversation(server: FaultyServer) -> str:
    made = await server.do("CreateConversation")
    binding = {"MessagingBinding.Address": PHONE, "MessagingBinding.ProxyAddress": PROXY}
    await server.do("CreateConversationParticipant", binding, ConversationSid=made.sid)
    return str(made.sid)


async def _receipts(server: FaultyServer) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await server.store.read(lambda tx: tx.all(RECEIPTS))]


async def _inbox(server: FaultyServer) -> list[str]:
    sql = "SELECT body FROM virtual_phone_message ORDER BY sequence"
    return [row[0] for row in await server.store.read(lambda tx: tx.all(sql))]


def test_one_message_fails_with_the_code_of_the_fault(tmp_path: Path) -> None:
    async def scenario(server: FaultyServer, _hooks: WebhookBackend) -> None:
        sid = await _conversation(server)
        fault = server.fault(Target="carrier", To=PHONE, From=PROXY, Channel="sms", Error=30003)

        for body in ("lost", "arrives"):
            await server.send_message(sid, body)
            await server.settle()

        assert await _receipts(server) == [("undelivered", 30003), ("delivered", 0)]
        assert await _inbox(server) == ["arrives"]
        assert (fault.matched, fault.fired) == (1, 1)

    run_with_faults(tmp_path, scenario)


def test_a_code_of_the_api_refuses_the_submission(tmp_path: Path) -> None:
    async def scenario(server: FaultyServer, _hooks: WebhookBackend) -> None:
        sid = await _conversation(server)
        server.fault(Target="carrier", Error=21610)

        await server.send_message(sid, "unsubscribed")
        await server.settle()

        assert await _receipts(server) == [("failed", 21610)]
        assert await _inbox(server) == []

    run_with_faults(tmp_path, scenario)


@pytest.mark.parametrize(
    ("form", "pending", "later"),
    [
        ({"DelayMs": 5000}, ["delivered"], "delivered"),
        ({"Receipts": "duplicate", "DelayMs": 5000}, ["delivered"] * 2, "delivered"),
        ({"Receipts": "early", "DelayMs": 5000}, [], "delivered"),
        ({"Receipts": "never"}, [], "sent"),
    ],
)
def test_receipts_come_late_twice_early_or_never(
    tmp_path: Path, form: dict[str, Any], pending: list[str], later: str
) -> None:
    async def scenario(server: FaultyServer, _hooks: WebhookBackend) -> None:
        sid = await _conversation(server)
        server.fault(Target="carrier", **form)
        await server.mode.clock_control.set_mode(ClockMode.FROZEN, None)

        await server.send_message(sid, "hello")
        await server.settle()
        reports = await server.store.read(lambda tx: tx.all(REPORTS))
        assert [row[0] for row in reports] == pending
        assert await _inbox(server) == ["hello"]

        await server.advance(60_000)
        assert [status for status, _ in await _receipts(server)] == [later]

    run_with_faults(tmp_path, scenario)


def test_criteria_select_by_sender_recipient_and_channel(tmp_path: Path) -> None:
    async def scenario(server: FaultyServer, _hooks: WebhookBackend) -> None:
        sid = await _conversation(server)
        others = [
            server.fault(Target="carrier", Error=30003, **criterion)
            for criterion in ({"To": PROXY}, {"From": PHONE}, {"Channel": "whatsapp"})
        ]

        await server.send_message(sid, "hello")
        await server.settle()

        assert [each.matched for each in others] == [0, 0, 0]
        assert await _receipts(server) == [("delivered", 0)]

    run_with_faults(tmp_path, scenario)
