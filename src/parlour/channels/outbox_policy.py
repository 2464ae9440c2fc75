"""The policy before a submission is sent: the same for all carriers.

It is applied when a submission is loaded, right before it is sent, so that an opt-out or a closed
window also stops messages that were queued before. The first rule that applies decides:

| rule | receipt |
|---|---|
| expired in the queue | failed, with the code of the last error |
| no sender, except for e-mail, or no carrier for it | failed 63007 |
| the recipient opted out | failed 21610; other members of the group get the message |
| body or media that the channel does not carry (`outbox_rules.py`) | failed |
| WhatsApp outside the window without a template | undelivered 63016 |
| WhatsApp outside the window with a template that is not approved | undelivered 63027 |

Automatic answers have no receipt, and only the first two rules apply to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.channels import outbox_rules
from parlour.channels.carrier import (
    OutboundMedium,
    OutboundMessage,
)
from parlour.channels.outbox_results import LoadedSubmission, Refusal
from parlour.protocol import addresses
from parlour.resources.carrier_numbers import store as carrier_number_store
from parlour.resources.content_templates import approvals as content_template_approvals
from parlour.resources.content_templates import (
    channel_rendering as content_template_channel_rendering,
)
from parlour.resources.content_templates import store as content_template_store
from parlour.resources.opt_outs import store as opt_out_store
from parlour.resources.outbox import store as outbox_store
from parlour.resources.receipts.statuses import UNDELIVERED
from parlour.resources.whatsapp_windows import store as whatsapp_window_store
from parlour.vocabulary import limits
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.resources.carrier_numbers.store import SeveralMedia
    from parlour.resources.content_templates.store import ContentTemplate
    from parlour.resources.outbox.store import (
        Submission,
        SubmissionContent,
        SubmissionRecipient,
    )
    from parlour.store.transaction import Transaction

NO_CARRIER: Final = 63007
OPTED_OUT: Final = 21610
QUEUE_OVERFLOW: Final = 30001
OUTSIDE_WINDOW: Final = 63016
NOT_APPROVED: Final = 63027

Recipients = tuple["SubmissionRecipient", ...]


class SubmissionPolicy:
    """Turns queued submissions into messages for a carrier, and into refusals."""

    def __init__(self, media_url: Callable[[Scope, str], str]) -> None:
        """``media_url`` returns the signed URL of a medium; empty without a public URL."""
        self._media_url = media_url

    async def load(
        self, tx: Transaction, submission: Submission, *, has_carrier: bool, monotonic_ms: float
    ) -> LoadedSubmission:
        """Return the message that is sent of a submission now, and the refused recipients."""
        recipients = outbox_store.decode_recipients(submission.recipients)
        code = _code_without_sending(submission, tx.now, has_carrier=has_carrier)
        if code:
            refusals = _refuse(recipients, code)
            return LoadedSubmission(submission, None, refusals, monotonic_ms)
        content = outbox_store.decode_content(submission.content)
        if not submission.conversation_sid:
            message = self._message(submission, recipients, content)
            return LoadedSubmission(submission, message, (), monotonic_ms)
        refusals = await _opted_out(tx, submission, recipients)
        refused = {each.recipient for each in refusals}
        recipients = tuple(each for each in recipients if each not in refused)
        if not recipients:
            return LoadedSubmission(submission, None, refusals, monotonic_ms)
        checked, rejected = await self._checked(tx, submission, recipients, content)
        return LoadedSubmission(submission, checked, (*refusals, *rejected), monotonic_ms)

    async def _checked(
        self,
        tx: Transaction,
        submission: Submission,
        recipients: Recipients,
        content: SubmissionContent,
    ) -> tuple[OutboundMessage | None, tuple[Refusal, ...]]:
        """Return the message within the rules of its channel, or the refusal of all recipients."""
        message = self._message(submission, recipients, content)
        carried = outbox_rules.for_channel(
            message.channel,
            message.recipients,
            message.body,
            message.media,
            several_media=await _several_media(tx, message),
        )
        if carried.code:
            return None, _refuse(recipients, carried.code)
        message = msgspec.structs.replace(message, body=carried.body, media=carried.media)
        if message.channel == addresses.WHATSAPP:
            found = await _in_window(tx, submission, message)
            if isinstance(found, int):
                return None, _refuse(recipients, found, UNDELIVERED)
            message = found
        return message, ()

    def _message(
        self, submission: Submission, recipients: Recipients, content: SubmissionContent
    ) -> OutboundMessage:
        scope = Scope(submission.account_sid, submission.service_sid)
        media = tuple(
            OutboundMedium(
                sid=each.sid,
                content_type=each.content_type,
                size=each.size,
                filename=each.filename,
                url=self._media_url(scope, each.sid),
                category=each.category,
            )
            for each in content.media
        )
        return OutboundMessage(
            reference=submission.sid,
            account_sid=submission.account_sid,
            conversation_sid=submission.conversation_sid,
            message_sid=submission.message_sid,
            channel=submission.channel,
            sender=submission.sender,
            recipients=tuple(each.address for each in recipients),
            is_group=bool(submission.is_group),
            body=content.body,
            media=media,
            template=content.template,
            email=content.email,
            retries=submission.attempts,
            message_sids=tuple(each.message_sid for each in recipients),
            participant_sids=tuple(each.participant_sid for each in recipients),
            group=content.group,
        )


def _code_without_sending(submission: Submission, now_ms: int, *, has_carrier: bool) -> int:
    """Return the error code of a submission that is not sent in any case, else 0."""
    if submission.expires_ms <= now_ms:
        last = (submission.last_error or "").partition(" ")[0]
        return int(last) if last.isdecimal() else QUEUE_OVERFLOW
    has_sender = submission.sender is not None or submission.channel == addresses.EMAIL
    return 0 if has_carrier and has_sender else NO_CARRIER


def _refuse(recipients: Recipients, code: int, status: str = "failed") -> tuple[Refusal, ...]:
    return tuple(Refusal(each, code, status) for each in recipients)


async def _opted_out(
    tx: Transaction, submission: Submission, recipients: Recipients
) -> tuple[Refusal, ...]:
    """Return the refusals of recipients who opted out of messages from the sender."""
    sender = submission.sender
    if sender is None or submission.channel == addresses.EMAIL:
        return ()
    number = await carrier_number_store.find_number(tx, sender)
    service_sid = None if number is None else number.messaging_service_sid
    scope = Scope(submission.account_sid)
    return tuple(
        [
            Refusal(each, OPTED_OUT)
            for each in recipients
            if await opt_out_store.is_opted_out(tx, scope, service_sid, sender, each.address)
        ]
    )


async def _several_media(tx: Transaction, message: OutboundMessage) -> SeveralMedia:
    """Return the setting of the sender for a message with several media."""
    if len(message.media) < 2 or message.sender is None:
        return "first"
    number = await carrier_number_store.find_number(tx, message.sender)
    return "first" if number is None else number.several_media


async def _in_window(
    tx: Transaction, submission: Submission, message: OutboundMessage
) -> OutboundMessage | int:
    """Return the message that WhatsApp takes now: an error code if it takes none."""
    scope = Scope(submission.account_sid)
    address = message.recipients[0]
    last_ms = await whatsapp_window_store.last_inbound_ms(
        tx, scope, submission.sender or "", address
    )
    if last_ms is not None and tx.now < last_ms + limits.WHATSAPP_WINDOW_MS:
        return message
    if message.template is not None:
        template = await content_template_store.find_content_template(
            tx, scope, message.template.content_sid
        )
        # One that was never submitted for approval is the carrier's decision.
        is_open = template is not None and template.approval_status in {
            content_template_approvals.APPROVED,
            content_template_approvals.UNSUBMITTED,
        }
        return message if is_open else NOT_APPROVED
    if message.media or not message.body:
        return OUTSIDE_WINDOW
    found = await content_template_channel_rendering.find_approved_by_text(tx, scope, message.body)
    return OUTSIDE_WINDOW if found is None else _as_template(message, *found)


def _as_template(
    message: OutboundMessage, template: ContentTemplate, values: dict[str, str]
) -> OutboundMessage:
    """Return a message whose text is the one of an approved template as that template."""
    made = content_template_channel_rendering.render_for_channel(
        template, message.channel, msgspec.json.encode(values).decode()
    )
    return msgspec.structs.replace(message, template=made.template)
