"""Texts of carriers that a database cannot store, and addresses that a log must not contain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from parlour.channels.carrier import Accepted, Rejected
from parlour.channels.log_text import without_addresses
from parlour.protocol.storable_text import storable
from tests.unit.channels.outbox_setup import OutboxSetup, ScriptedCarrier

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    RunOutbox = Callable[[Callable[[OutboxSetup], Awaitable[None]]], None]

FOREIGN = "id\0 7\ud800"
PHONE = "+15558675310"


def test_a_text_is_stored_without_nul_and_lone_surrogates() -> None:
    assert storable(FOREIGN) == "id 7?"
    assert storable("é😀") == "é😀"


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        (f"no route to {PHONE}", PHONE, "no route to …310"),
        ("no route to 15558675310", PHONE, "no route to …310"),
        (f"to whatsapp:{PHONE}", f"whatsapp:{PHONE}", "to …310"),
        (f"to {PHONE}", f"whatsapp:{PHONE}", "to …310"),
        ("<ada@example.com>: unknown", "ada@example.com", "<…com>: unknown"),
        ("status 400", "400", "status 400"),
    ],
)
def test_a_text_for_the_log_has_the_end_of_an_address(text: str, address: str, shown: str) -> None:
    assert without_addresses(text, [address]) == shown


def test_a_foreign_identifier_is_recorded_and_its_report_is_matched(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        carrier.script("+1", Accepted((FOREIGN,)))
        sid = await outbox.add_message(0, "+1")
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(sid, "sent")
        await outbox.report("virtual", "delivered", provider_id=FOREIGN, detail=FOREIGN)
        assert await outbox.receipts(sid) == {"+1": ("delivered", 0)}
        parts = await outbox.store.read(
            lambda tx: tx.all("SELECT provider_id FROM submission_part")
        )
        assert parts == [("id 7?",)]

    run_outbox(scenario)


def test_a_report_with_foreign_texts_waits_for_its_submission(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        outbox.carriers()
        await outbox.report("virtual", "delivered", provider_id=FOREIGN, detail=FOREIGN)
        await outbox.report("virtual", "delivered", reference=FOREIGN)
        early = await outbox.store.read(lambda tx: tx.all("SELECT provider_id FROM early_report"))
        assert early == [("id 7?",)]

    run_outbox(scenario)


def test_a_foreign_reason_is_recorded_and_its_log_line_has_no_address(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        reason = f"{FOREIGN} {PHONE} is wrong"
        carrier.script(PHONE, Rejected(30001, reason, 1))
        await outbox.add_message(0, PHONE)

        async def last_error() -> str | None:
            (submission,) = await outbox.submissions()
            return submission.last_error

        with capture_logs() as logged:
            async with outbox.running(virtual=carrier):
                await outbox.until(last_error)
        assert await last_error() == f"30001 id 7? {PHONE} is wrong"
        reasons = [each["detail"] for each in logged if each["event"] == "submission_rejected"]
        assert reasons == [f"{FOREIGN} …310 is wrong"]

    run_outbox(scenario)
