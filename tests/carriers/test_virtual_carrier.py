"""The virtual carrier: the inboxes of its phones, and the reports by their behaviours."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from parlour.channels.carrier import Accepted, Rejected
from parlour.protocol.timestamps import format_date
from parlour.store.blobs import BlobKey
from tests.carriers.virtual_carrier_setup import (
    CONTENT,
    OWN,
    PHONE,
    PICTURE,
    REFERENCE,
    START_MS,
    WHATSAPP,
    PhoneScene,
    run_scene,
    text_to,
)
from tests.events.in_process_server import ACCOUNT_SID, AUTH_TOKEN
from tests.support.in_process_requests import send_request

if TYPE_CHECKING:
    from pathlib import Path

DELIVERED = ("delivered", 0)
READ = ("read", 0)
SENT = ("sent", 0)


def test_a_text_reaches_the_inbox_of_a_new_phone_and_is_reported(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        assert await scene.deliver(text_to(PHONE)) == Accepted()
        [message] = await scene.inbox(PHONE)
        assert (message.sid, message.direction, message.status) == (
            REFERENCE,
            "received",
            "delivered",
        )
        assert (message.sender, json.loads(message.recipients)) == (OWN, [PHONE])
        assert (message.body, message.encoding, message.segments) == ("Hello", "GSM-7", 1)
        assert scene.reports == []
        assert await scene.pass_due_reports() == [DELIVERED]
        [report] = scene.reports
        assert (report.reference, report.recipient) == (REFERENCE, PHONE)
        assert await scene.pass_due_reports() == [DELIVERED]

    run_scene(tmp_path, play)


def test_a_repeated_submission_changes_nothing(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        for _ in range(2):
            assert await scene.deliver(text_to(PHONE, media=(PICTURE,))) == Accepted()
        assert len(await scene.inbox(PHONE)) == 1
        assert await scene.pass_due_reports() == [DELIVERED]

    run_scene(tmp_path, play)


@pytest.mark.parametrize(
    ("form", "reports"),
    [
        ({}, [DELIVERED]),
        ({"Behaviour": "silent"}, []),
        ({"Behaviour": "undeliverable"}, [("undelivered", 30005)]),
        ({"Behaviour": "undeliverable", "ErrorCode": "30003"}, [("undelivered", 30003)]),
        ({"Receipts": "duplicate"}, [DELIVERED, DELIVERED]),
        ({"Receipts": "reversed"}, [DELIVERED, SENT]),
        ({"Reads": "true"}, [DELIVERED]),
    ],
)
def test_the_reports_of_an_sms_follow_the_behaviour_of_its_phone(
    tmp_path: Path, form: dict[str, str], reports: list[tuple[str, int]]
) -> None:
    async def play(scene: PhoneScene) -> None:
        await scene.set(PHONE, **form)
        assert await scene.deliver(text_to(PHONE)) == Accepted()
        assert await scene.pass_due_reports() == reports
        has_message = form.get("Behaviour") != "undeliverable"
        assert len(await scene.inbox(PHONE)) == int(has_message)

    run_scene(tmp_path, play)


@pytest.mark.parametrize(
    ("form", "reports"),
    [
        ({"Reads": "true"}, [DELIVERED, READ]),
        ({"Reads": "true", "Receipts": "reversed"}, [DELIVERED, SENT, READ]),
        ({"Reads": "true", "Receipts": "duplicate"}, [DELIVERED, DELIVERED, READ, READ]),
        ({"Behaviour": "undeliverable"}, [("undelivered", 63024)]),
    ],
)
def test_a_whatsapp_phone_reports_that_it_read(
    tmp_path: Path, form: dict[str, str], reports: list[tuple[str, int]]
) -> None:
    async def play(scene: PhoneScene) -> None:
        await scene.set(WHATSAPP, **form)
        await scene.deliver(text_to(WHATSAPP))
        assert await scene.pass_due_reports() == reports
        statuses = [each.status for each in await scene.inbox(WHATSAPP)]
        assert statuses == (["read"] if "Reads" in form else [])

    run_scene(tmp_path, play)


def test_an_early_report_precedes_the_acceptance(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        await scene.set(WHATSAPP, Receipts="early", Reads="true", DelayMs="50")
        assert await scene.deliver(text_to(WHATSAPP)) == Accepted()
        assert [(each.status, each.error_code) for each in scene.reports] == [DELIVERED]
        scene.clock.advance(100)
        assert await scene.pass_due_reports() == [DELIVERED, READ]

    run_scene(tmp_path, play)


def test_a_rejecting_phone_fails_the_submission_and_gets_nothing(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        await scene.set(PHONE, Behaviour="reject", ErrorCode="21614")
        result = await scene.deliver(text_to(PHONE, media=(PICTURE,)))
        assert isinstance(result, Rejected)
        assert (result.code, result.retry_after_seconds) == (21614, None)
        assert await scene.pass_due_reports() == []
        assert await scene.inbox(PHONE) == []

    run_scene(tmp_path, play)


def test_each_report_waits_for_the_delay_by_the_clock(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        await scene.set(WHATSAPP, DelayMs="60000", Reads="true")
        await scene.deliver(text_to(WHATSAPP))
        for advance, reports in (
            (59_999, []),
            (1, [DELIVERED]),
            (59_999, [DELIVERED]),
            (1, [DELIVERED, READ]),
        ):
            scene.clock.advance(advance)
            assert await scene.pass_due_reports() == reports

    run_scene(tmp_path, play)


def test_a_phone_that_is_off_gets_its_messages_in_order_once_it_is_on(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        await scene.set(PHONE, Behaviour="off")
        for number in range(3):
            sid = f"SM{number:032}"
            await scene.deliver(text_to(PHONE, body=str(number), reference=sid))
        assert await scene.inbox(PHONE) == []
        assert await scene.pass_due_reports() == []
        scene.clock.advance(1000)
        await scene.change(PHONE, Behaviour="deliver")
        assert [each.body for each in await scene.inbox(PHONE)] == ["0", "1", "2"]
        assert await scene.pass_due_reports() == [DELIVERED] * 3
        assert [each.reference for each in scene.reports] == [f"SM{n:032}" for n in range(3)]

    run_scene(tmp_path, play)


def test_a_list_after_a_date_has_only_messages_made_later(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        await scene.deliver(text_to(PHONE, body="at the date"))
        scene.clock.advance(1)
        await scene.deliver(text_to(PHONE, body="later", reference="SM" + "2" * 32))

        async def after(date_ms: int) -> list[str]:
            login = base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode())
            path = f"/parlour/v1/VirtualPhones/{PHONE}/Messages?After={format_date(date_ms)}"
            headers = {b"host": b"127.0.0.1", b"authorization": b"Basic " + login}
            response = await send_request(scene.instance.app.server, "GET", path, headers)
            assert response.status == 200, response
            return [each["body"] for each in json.loads(response.body)["messages"]]

        assert await after(START_MS) == ["later"]
        assert await after(START_MS - 1000) == ["at the date", "later"]
        assert await after(START_MS + 1000) == []

    run_scene(tmp_path, play)


def test_messages_held_for_a_phone_that_becomes_undeliverable_are_reported(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        await scene.set(PHONE, Behaviour="off")
        await scene.deliver(text_to(PHONE))
        await scene.change(PHONE, Behaviour="undeliverable")
        assert await scene.pass_due_reports() == [("undelivered", 30005)]
        assert await scene.inbox(PHONE) == []

    run_scene(tmp_path, play)


def test_a_phone_keeps_its_copy_of_a_medium(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        await scene.deliver(text_to(PHONE, media=(PICTURE,)))
        [message] = await scene.inbox(PHONE)
        # An MMS has no segments.
        assert (message.encoding, message.segments) == (None, 1)
        [medium] = json.loads(message.media)
        assert medium["sid"] != PICTURE.sid
        assert (medium["content_type"], medium["filename"]) == ("image/png", "cat.png")
        assert message.size == len(CONTENT) + len("Hello")
        blobs = scene.instance.app.blobs
        blob = await blobs.open(BlobKey(ACCOUNT_SID, medium["sid"]))
        assert blob is not None
        assert b"".join([piece async for piece in blob.pieces(0, blob.size)]) == CONTENT
        await blob.close()
        # The row is committed, so no sweep removes the file.
        assert await blobs.uncommitted(2**62) == []

    run_scene(tmp_path, play)


def test_the_media_of_a_deleted_phone_are_deleted(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        await scene.deliver(text_to(PHONE, media=(PICTURE,)))
        [message] = await scene.inbox(PHONE)
        [medium] = json.loads(message.media)
        await scene.instance.do("DeleteVirtualPhone", Address=PHONE)
        while await scene.instance.app.scheduler.run_due() == scene.clock.now_ms():
            pass
        assert await scene.instance.app.blobs.open(BlobKey(ACCOUNT_SID, medium["sid"])) is None

    run_scene(tmp_path, play)


def test_each_member_of_a_group_gets_the_thread_and_reports(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        others = ("+15558675311", "+15558675312")
        await scene.set(others[0], Behaviour="reject")
        assert await scene.deliver(text_to(PHONE, *others)) == Accepted()
        for address in (PHONE, others[1]):
            [message] = await scene.inbox(address)
            assert json.loads(message.members) == sorted([OWN, PHONE, *others])
            assert json.loads(message.recipients) == [PHONE, *others]
            assert (message.encoding, message.segments) == (None, 1)
        await scene.pass_due_reports()
        found = {each.recipient: (each.status, each.error_code) for each in scene.reports}
        # One member cannot reject the submission for the others.
        assert found == {
            PHONE: DELIVERED,
            others[0]: ("undelivered", 30005),
            others[1]: DELIVERED,
        }

    run_scene(tmp_path, play)


def test_a_long_text_arrives_whole_with_its_segments(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        body = "€" * 81 + "🙂 end"
        await scene.deliver(text_to(PHONE, body=body))
        [message] = await scene.inbox(PHONE)
        assert (message.body, message.encoding, message.segments) == (body, "UCS-2", 2)

    run_scene(tmp_path, play)
