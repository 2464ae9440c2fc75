"""Delivery status notifications: which mail, which recipient, which result."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.carrier import DeliveryReport
from parlour.channels.email import bounces
from tests.unit.channels.email.mails import ALICE, MESSAGE_ID, REFERENCE, plain, read

RETURN_PATH = f"bounces+{REFERENCE}@example.com"


def notification(
    *groups: str, returned: str | None = f"Message-ID: {MESSAGE_ID}\nTo: {ALICE}"
) -> str:
    """Return a notification with these groups of fields."""
    status = "\n\n".join(("Reporting-MTA: dns; mx", *groups))
    parts = [
        "Content-Type: text/plain\n\nNot delivered.",
        f"Content-Type: message/delivery-status\n\n{status}\n",
    ]
    if returned is not None:
        parts.append(f"Content-Type: text/rfc822-headers\n\n{returned}\n")
    body = "".join(f"--r\n{part}\n" for part in parts) + "--r--\n"
    kind = 'multipart/report; report-type=delivery-status; boundary="r"'
    return plain(
        body,
        **{"from": "MAILER-DAEMON@mx.example"},
        content_type=kind,
        auto_submitted="auto-replied",
    )


def failed(recipient: str = ALICE, action: str = "failed") -> str:
    return (
        f"Final-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1\n unknown"
    )


def reports(raw: str, recipient: str = "help@example.com") -> tuple[DeliveryReport, ...]:
    return read(raw, sender="", recipients=(recipient,)).reports


@pytest.mark.parametrize("envelope_id", [None, "SM" + "e" * 32])
def test_the_return_path_names_the_mail_before_anything_else(envelope_id: str | None) -> None:
    raw = notification(failed())
    if envelope_id is not None:
        raw = raw.replace("dns; mx", f"dns; mx\nOriginal-Envelope-Id: {envelope_id}")
    for return_path in (RETURN_PATH, RETURN_PATH.lower()):
        assert reports(raw, return_path) == (
            DeliveryReport(
                status="undelivered",
                reference=REFERENCE,
                recipient=ALICE,
                error_code=30005,
                detail="smtp; 550 5.1.1 unknown",
            ),
        )


def test_the_envelope_identifier_names_the_mail_without_the_return_path() -> None:
    raw = notification(failed(), returned=None)
    raw = raw.replace("dns; mx", f"dns; mx\nOriginal-Envelope-Id: {REFERENCE.replace('a', '+61')}")
    [report] = reports(raw)
    assert (report.reference, report.provider_id, report.recipient) == (REFERENCE, None, ALICE)


def test_the_returned_headers_name_the_mail_last() -> None:
    [report] = reports(notification(failed()))
    assert (report.reference, report.provider_id, report.recipient) == (None, MESSAGE_ID, ALICE)


@pytest.mark.parametrize("returned", [None, "Message-ID: <other@x.example>"])
def test_a_notification_about_no_mail_of_this_server_is_dropped(returned: str | None) -> None:
    result = read(notification(failed(), returned=returned), sender="")
    assert not result.reports
    assert result.dropped


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("failed", "undelivered"),
        ("Delivered", "delivered"),
        ("delayed", None),
        ("relayed", None),
        ("expanded", None),
    ],
)
def test_the_action_decides_the_status(action: str, status: str | None) -> None:
    found = reports(notification(failed(action=action)), RETURN_PATH)
    assert [each.status for each in found] == ([status] if status else [])
    assert all(each.error_code == (30005 if status == "undelivered" else 0) for each in found)


def test_each_recipient_has_a_report() -> None:
    other = "bob@customer.example"
    returned = f"Message-ID: {MESSAGE_ID}\nTo: {ALICE}\nCc: {other}"
    raw = notification(
        failed(), failed(other, "delivered"), failed("x", "delayed"), returned=returned
    )
    found = [(each.recipient, each.status) for each in reports(raw)]
    assert found == [(ALICE, "undelivered"), (other, "delivered")]


def test_the_recipient_is_the_one_of_the_mail_if_it_was_forwarded() -> None:
    [report] = reports(notification(failed("elsewhere@forwarded.example")))
    assert report.recipient == ALICE
    returned = f"Message-ID: {MESSAGE_ID}\nTo: {ALICE}, bob@customer.example"
    group = f"Original-Recipient: rfc822;Alice+40CUSTOMER.example\n{failed('x@y.example')}"
    [report] = reports(notification(group, returned=returned))
    assert report.recipient == ALICE


def test_a_report_without_any_recipient_is_about_each() -> None:
    [report] = reports(notification("Action: failed", returned=None), RETURN_PATH)
    assert report.recipient is None


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_fields_give_reports_or_a_drop(one: str, two: str) -> None:
    result = read(notification(one, failed(two)), sender="", recipients=(RETURN_PATH,))
    assert result.reports or result.dropped or result.refused


@given(
    st.from_regex(r"[A-Z]{2}[0-9a-f]{32}", fullmatch=True), st.sampled_from(["bounces", "b.x-1"])
)
def test_a_return_path_is_parsed_into_its_reference(reference: str, name: str) -> None:
    address = bounces.bounce_address(name, reference, "example.com")
    assert len(address.partition("@")[0]) <= 64
    for each in (address, address.lower(), address.upper()):
        assert bounces.parse_bounce_address(name, each) == reference
    assert bounces.parse_bounce_address("other", address) is None
    assert bounces.is_bounce_address(name, address)
    assert not bounces.is_bounce_address(name, f"{name}x+1@example.com")
