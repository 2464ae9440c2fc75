"""The policy before sending: opt-outs, limits of channels, media, and the window of WhatsApp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.channels.carrier import OutboundMedium
from parlour.channels.outbox_rules import for_channel
from parlour.resources.content_templates import store as content_template_store
from parlour.resources.content_templates.channel_rendering import OutboundTemplate
from parlour.resources.content_templates.store import ContentTemplate
from parlour.resources.opt_outs import store as opt_out_store
from parlour.resources.outbox.store import SubmissionMedium
from parlour.resources.whatsapp_windows import store as whatsapp_window_store
from parlour.vocabulary import limits
from tests.unit.channels.outbox_setup import OWN, SCOPE, OutboxSetup, ScriptedCarrier

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    RunOutbox = Callable[[Callable[[OutboxSetup], Awaitable[None]]], None]

MIB = 2**20
US, GERMAN = "+15552000001", "+4915100000001"
USER, SENDER = "whatsapp:+15552000001", f"whatsapp:{OWN}"


# --- The rules of channels (C27 to C30)


def medium(content_type: str = "image/jpeg", size: int = 1000, url: str = "") -> OutboundMedium:
    return OutboundMedium("ME1", content_type, size, None, url)


LINKED = medium(url="https://media.example/1")
CASES: list[tuple[str, str, str | None, tuple[OutboundMedium, ...], Any]] = [
    ("sms", US, "x" * 1600, (), ("x" * 1600, 0)),
    ("sms", US, "x" * 1601, (), 21617),
    ("sms", US, "😀" * 1600, (), ("😀" * 1600, 0)),
    ("whatsapp", USER, "x" * 1601, (), 21617),
    ("email", "a@example.com", "x" * 30_000, (), ("x" * 30_000, 0)),
    ("messenger", "messenger:1", "x" * 2000, (), ("x" * 2000, 0)),
    ("sms", US, "look", (medium(),), ("look", 1)),
    ("sms", US, "look", (medium(), medium()), (None, 1)),
    ("sms", US, "x" * 1601, (medium(), medium()), (None, 1)),
    ("sms", US, "x" * 1601, (medium(),), 21617),
    ("sms", US, None, (medium(size=5 * MIB),), (None, 1)),
    ("sms", US, None, (medium(size=5 * MIB + 1),), 11751),
    ("sms", US, None, (medium("image/svg+xml"),), 12300),
    ("sms", US, None, (medium("application/pdf; name=a.pdf"),), (None, 1)),
    ("whatsapp", USER, "look", (medium(size=16 * MIB),), ("look", 1)),
    ("whatsapp", USER, "look", (medium(size=16 * MIB + 1),), 11751),
    ("whatsapp", USER, "look", (medium("text/html"),), 12300),
    ("whatsapp", USER, "look", (medium("audio/mpeg"),), (None, 1)),
    ("whatsapp", USER, "look", (medium("video/mp4"),), ("look", 1)),
    ("sms", US, "look", (medium("audio/mpeg"),), ("look", 1)),
    ("sms", GERMAN, "look", (medium(),), 21612),
    ("sms", GERMAN, "look", (LINKED, LINKED), (f"look\n{LINKED.url}\n{LINKED.url}", 0)),
    ("sms", GERMAN, None, (LINKED,), (LINKED.url, 0)),
    ("sms", GERMAN, "x" * 1600, (LINKED,), 21617),
    ("sms", GERMAN, "look", (), ("look", 0)),
    ("email", "a@example.com", "look", (medium(size=14 * MIB),), ("look", 1)),
    ("email", "a@example.com", "look", (medium(size=7 * MIB), medium(size=8 * MIB)), 11751),
    ("email", "a@example.com", "look", (medium(size=15 * MIB),), 11751),
]


@pytest.mark.channel("C28", "C29", "C30", "C39")
@pytest.mark.parametrize(("channel", "address", "body", "media", "expected"), CASES)
def test_a_channel_carries_what_its_rules_allow(
    channel: str,
    address: str,
    body: str | None,
    media: tuple[OutboundMedium, ...],
    expected: Any,
) -> None:
    found = for_channel(channel, [address], body, media)
    shown: Any = found.code or (found.body, len(found.media))
    assert shown == expected


# The text and the sizes of the media that are sent, or the code.
ALL_CASES: list[tuple[str, str, str | None, list[tuple[str, int]], Any]] = [
    ("sms", US, "look", [("image/png", 1), ("audio/amr", 2)], ("look", [1, 2])),
    ("sms", US, "look", [("text/html", 1), ("image/png", 2)], ("look", [2])),
    ("sms", US, "look", [("image/png", 3 * MIB), ("image/png", 3 * MIB)], ("look", [3 * MIB])),
    ("sms", US, "look", [("image/png", 6 * MIB), ("image/png", 7)], ("look", [7])),
    ("sms", US, "look", [("text/html", 1), ("image/png", 6 * MIB)], 12300),
    ("sms", US, "look", [("image/png", 6 * MIB), ("text/html", 1)], 11751),
    ("sms", US, "x" * 1601, [("image/png", 1), ("image/png", 2)], 21617),
    ("sms", GERMAN, "look", [("image/png", 1), ("image/png", 2)], 21612),
    (
        "whatsapp",
        USER,
        "look",
        [("text/html", 1), ("image/png", 2), ("image/png", 3)],
        ("look", [2]),
    ),
    ("whatsapp", USER, "look", [("audio/amr", 1), ("image/png", 2)], (None, [1])),
    ("email", "a@example.com", "look", [("text/html", 1), ("image/png", 2)], ("look", [1, 2])),
]


@pytest.mark.channel("C29")
@pytest.mark.parametrize(("channel", "address", "body", "media", "expected"), ALL_CASES)
def test_all_of_several_media_are_sent_that_the_channel_takes(
    channel: str, address: str, body: str | None, media: list[tuple[str, int]], expected: Any
) -> None:
    sent = tuple(medium(kind, size) for kind, size in media)
    found = for_channel(channel, [address], body, sent, several_media="all")
    shown: Any = found.code or (found.body, [each.size for each in found.media])
    assert shown == expected


def test_a_body_that_is_too_long_fails_its_receipt_and_is_not_sent(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        sid = await outbox.add_message(0, "+1", body="x" * 1601)
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(sid, "failed")
        assert await outbox.receipts(sid) == {"+1": ("failed", 21617)}
        assert carrier.sent == []

    run_outbox(scenario)


def test_media_are_sent_with_a_signed_url(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        outbox.public_url = "https://chat.example/"
        carrier = ScriptedCarrier()
        snapshot = SubmissionMedium("ME7", 67, "image/png", "a.png")
        sid = await outbox.add_message(0, US, media=(snapshot,))
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(sid, "sent")
        (found,) = carrier.sent[0].media
        assert found == OutboundMedium(
            "ME7", "image/png", 67, "a.png", "https://chat.example/ME7", "media"
        )

    run_outbox(scenario)


# --- Opt-outs


def test_an_opt_out_stops_messages_that_were_queued_before_until_it_is_removed(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        stopped = await outbox.add_message(0, "+1", "+2")
        await outbox.store.write(
            lambda tx: opt_out_store.insert_opt_out(tx, SCOPE, None, OWN, "+1")
        )
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(stopped, "failed", "sent")
            await outbox.store.write(
                lambda tx: opt_out_store.delete_opt_outs(tx, SCOPE, None, OWN, "+1")
            )
            later = await outbox.add_message(1, "+1")
            await outbox.until_receipts(later, "sent")
        assert await outbox.receipts(stopped) == {"+1": ("failed", 21610), "+2": ("sent", 0)}
        assert await outbox.summary(stopped) == "sent:some failed:some"

    run_outbox(scenario)


@pytest.mark.channel("9")
def test_the_other_members_of_a_group_get_a_message_that_one_has_stopped(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        await outbox.store.write(
            lambda tx: opt_out_store.insert_opt_out(tx, SCOPE, None, OWN, "+2")
        )
        sid = await outbox.add_message(0, "+1", "+2", "+3", is_shared=True)
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(sid, "sent", "failed", "sent")
            await outbox.report("virtual", "delivered", reference=carrier.sent[0].reference)
        assert [each.recipients for each in carrier.sent] == [("+1", "+3")]
        assert len(carrier.sent[0].message_sids) == 2
        assert await outbox.receipts(sid) == {
            "+1": ("delivered", 0),
            "+2": ("failed", 21610),
            "+3": ("delivered", 0),
        }

    run_outbox(scenario)


# --- The window of WhatsApp


async def _send(outbox: OutboxSetup, index: int = 0, **content: Any) -> tuple[str | None, int]:
    """Send a WhatsApp message; return the status and the error code of its receipt."""
    sid = await outbox.add_message(index, USER, sender=SENDER, channel="whatsapp", **content)

    async def has_status() -> bool:
        return (await outbox.receipts(sid))[USER][0] is not None

    async with outbox.running(virtual=ScriptedCarrier()):
        await outbox.until(has_status)
    return (await outbox.receipts(sid))[USER]


async def _write_in(outbox: OutboxSetup, address: str = USER) -> None:
    now_ms = outbox.clock.now_ms()
    await outbox.store.write(
        lambda tx: whatsapp_window_store.open_window(tx, SCOPE, SENDER, address, now_ms)
    )


@pytest.mark.channel("10")
def test_free_text_passes_only_within_24_hours_of_the_users_last_message(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        assert await _send(outbox) == ("undelivered", 63016)
        await _write_in(outbox)
        assert await _send(outbox, 1) == ("sent", 0)
        outbox.clock.advance(limits.WHATSAPP_WINDOW_MS - 1)
        assert await _send(outbox, 2) == ("sent", 0)
        outbox.clock.advance(1)
        assert await _send(outbox, 3) == ("undelivered", 63016)
        await _write_in(outbox, "whatsapp:+15552000002")
        assert await _send(outbox, 4) == ("undelivered", 63016)
        await _write_in(outbox)
        assert await _send(outbox, 5) == ("sent", 0)

    run_outbox(scenario)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("approved", ("sent", 0)),
        ("unsubmitted", ("sent", 0)),
        ("pending", ("undelivered", 63027)),
        ("rejected", ("undelivered", 63027)),
        (None, ("undelivered", 63027)),
    ],
)
def test_outside_the_window_a_template_passes_unless_its_approval_is_missing(
    run_outbox: RunOutbox, status: str | None, expected: tuple[str, int]
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        if status is not None:
            await _insert_template(outbox, status)
        template = OutboundTemplate("HX1", "order", "en", {}, {"1": "7"}, "order")
        assert await _send(outbox, template=template) == expected

    run_outbox(scenario)


def test_outside_the_window_the_text_of_an_approved_template_is_sent_as_that_template(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        await _insert_template(outbox, "approved")
        carrier = ScriptedCarrier()
        message = {"sender": SENDER, "channel": "whatsapp"}
        sid = await outbox.add_message(0, USER, body="Order 7 is on its way", **message)
        other = await outbox.add_message(1, USER, body="Order 7 is late", **message)
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(sid, "sent")
            await outbox.until_receipts(other, "undelivered")
        template = carrier.sent[0].template
        assert template is not None
        assert (template.content_sid, template.variables) == ("HX1", {"1": "7"})
        assert template.approved_name == "order"

    run_outbox(scenario)


async def _insert_template(outbox: OutboxSetup, status: str) -> None:
    template = ContentTemplate(
        account_sid=SCOPE.account_sid,
        sid="HX1",
        friendly_name="order",
        body="Order {{1}} is on its way",
        types=None,
        variables=None,
        date_created=0,
        date_updated=0,
        approval_name="order",
        approval_status=status,
    )
    await outbox.store.write(
        lambda tx: content_template_store.insert_content_template(tx, SCOPE, template)
    )
