"""Submissions to Kannel: the parameters of sendsms, and the meaning of its response.

Kannel assigns no identifier, so the URL of a message's reports names its reference. It splits long
texts itself. Without the coding UCS-2 it replaces characters beyond the GSM alphabet by question
marks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.channels.carrier import Accepted, CarrierUnavailable, Rejected
from parlour.channels.http_link import MISCONFIGURED, reject_for_now, shorten
from parlour.protocol.signatures import write_form
from parlour.protocol.sms_segments import split_text

if TYPE_CHECKING:
    from parlour.channels.carrier import OutboundMessage
    from parlour.channels.kannel.options import KannelOptions
    from parlour.egress.client import OutboundResponse

REPORT_PATH: Final = "report"

# All reports: delivered, undeliverable, queued at the SMSC, accepted and rejected by it.
_ALL_REPORTS: Final = "31"
_GSM_7: Final = "0"
_UCS_2: Final = "2"
_CODE_UNREACHABLE: Final = 21612
_CODE_SENDER: Final = 21606
_CODE_BAD_RECIPIENT: Final = 21211
_CODE_BLOCKED: Final = 30004
_CODE_QUEUE_OVERFLOW: Final = 30001
_CODE_UNKNOWN: Final = 30008


def build_query(
    message: OutboundMessage, options: KannelOptions, callback_url: str
) -> list[tuple[str, str]] | Rejected:
    """Return the parameters that submit a message, or the reason why Kannel cannot carry it."""
    if message.is_group or len(message.recipients) != 1:
        return Rejected(_CODE_UNREACHABLE, "Kannel has no group messages")
    if message.sender is None:
        return Rejected(_CODE_SENDER, "the message has no sender")
    media = [medium.url for medium in message.media if medium.category == "media"]
    if not all(media):
        return Rejected(_CODE_UNREACHABLE, "links to media need the server's public URL")
    # A text message has no media: they are links in its text.
    text = "\n".join([*([] if message.body is None else [message.body]), *media])
    query = [
        ("username", options.username),
        ("password", options.password),
        ("from", message.sender),
        ("to", message.recipients[0]),
        ("text", text),
        ("charset", "UTF-8"),
        ("coding", _GSM_7 if split_text(text).encoding == "GSM-7" else _UCS_2),
    ]
    if options.smsc_id:
        query.append(("smsc", options.smsc_id))
    if options.delivery_reports and callback_url:
        query.append(("dlr-mask", _ALL_REPORTS))
        query.append(("dlr-url", _report_url(callback_url, message.reference, options)))
    return query


def _report_url(callback_url: str, reference: str, options: KannelOptions) -> str:
    """Return the template of the URL of reports; Kannel fills in the escapes at its end."""
    fixed = write_form([("token", options.callback_token), ("reference", reference)])
    # A percent sign starts an escape of the template; a doubled one is the sign itself.
    return f"{callback_url}/{REPORT_PATH}?{fixed}".replace("%", "%%") + "&type=%d&reply=%A"


def read_response(response: OutboundResponse, now_ms: int) -> Accepted | Rejected:
    """Return the outcome of a submission. Raises CarrierUnavailable if it is unknown.

    The message is in Kannel's queue after 2xx; whether an SMSC accepts it is a report.
    """
    text = response.body_start.decode("utf-8", "replace")
    detail = shorten(f"status {response.status}: {text}")
    if 200 <= response.status <= 299:
        return Accepted()
    if response.status in MISCONFIGURED:
        return reject_for_now(_CODE_UNKNOWN, detail, None, now_ms)
    if response.status == 503:
        retry_after = response.header("retry-after")
        return reject_for_now(_CODE_QUEUE_OVERFLOW, detail, retry_after, now_ms)
    if not 400 <= response.status <= 499:
        raise CarrierUnavailable(detail)
    return Rejected(_read_refusal(text.lower()), detail)


def _read_refusal(text: str) -> int:
    """Return the error code for the text of a refusal: Kannel has no numbers for them."""
    if "denied" in text:
        return _CODE_BLOCKED
    if "sender" in text:
        return _CODE_SENDER
    return _CODE_BAD_RECIPIENT if "receiver" in text else _CODE_UNKNOWN
