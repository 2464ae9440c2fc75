"""Transactions that record results of submissions and reports about them in receipts.

Each locks the conversation first, so that the results, the reports and the new messages of one
conversation are serialized, and no report is missed between a submission and its record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.channels.carrier import Accepted, DeliveryReport, OutboundMessage, Rejected
from parlour.protocol.storable_text import storable
from parlour.resources.outbox import store as outbox_store
from parlour.resources.outbox.store import Submission, SubmissionRecipient, SubmissionState
from parlour.resources.receipts import actions as receipt_actions
from parlour.resources.receipts.statuses import (
    DELIVERED,
    FAILED,
    READ,
    SENT,
    UNDELIVERED,
    StatusReport,
)
from parlour.vocabulary import limits
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.store.transaction import Transaction

NO_ANSWER: Final = 30410
"""The carrier cannot be reached, or did not answer."""


class Unanswered(msgspec.Struct, frozen=True):
    """The carrier was unavailable, or the outcome is unknown."""

    detail: str


class Refusal(msgspec.Struct, frozen=True):
    """A recipient to whom the message is not sent, and the final status of the receipt."""

    recipient: SubmissionRecipient
    code: int
    status: str = FAILED


class LoadedSubmission(msgspec.Struct, frozen=True):
    """A queued submission as it is sent; ``message`` is None if the policy refused all of it."""

    submission: Submission
    message: OutboundMessage | None
    refusals: tuple[Refusal, ...]
    loaded_at_ms: float
    """On the monotonic clock."""

    @property
    def key(self) -> tuple[str, str]:
        """The account and the SID."""
        return self.submission.account_sid, self.submission.sid


Outcome = Accepted | Rejected | Unanswered | None
"""None: nothing was sent, because the policy refused all recipients."""


class SubmissionResult(msgspec.Struct, frozen=True):
    """The outcome of one attempt. ``due_ms`` is the date of the next one, if there is one."""

    loaded: LoadedSubmission
    outcome: Outcome
    due_ms: int


_encode = msgspec.json.Encoder().encode
decode_report = msgspec.json.Decoder(DeliveryReport).decode

# --- Results --------------------------------------------------------------------------------


async def record_result(tx: Transaction, result: SubmissionResult) -> None:
    """Record the outcome of one attempt; again after an unknown commit it changes nothing."""
    loaded, outcome = result.loaded, result.outcome
    submission = await outbox_store.find_locked(tx, loaded.submission)
    if submission is None:
        return  # Its message was deleted.
    for each in loaded.refusals:
        await _record(tx, submission, [each.recipient], StatusReport(each.status, each.code))
    if outcome is None:
        await outbox_store.delete_submission(tx, submission)
    elif isinstance(outcome, Accepted):
        await _record_accepted(tx, submission, outcome)
    elif result.due_ms < submission.expires_ms and _is_transient(outcome):
        await outbox_store.retry_submission(
            tx, loaded.submission, result.due_ms, error_text(outcome)
        )
    elif await outbox_store.delete_submission(tx, submission):
        code = outcome.code if isinstance(outcome, Rejected) else NO_ANSWER
        await _record(tx, submission, _recipients(submission), StatusReport(FAILED, code))


def _is_transient(outcome: Rejected | Unanswered) -> bool:
    return isinstance(outcome, Unanswered) or outcome.retry_after_seconds is not None


def error_text(outcome: Rejected | Unanswered) -> str:
    """Return the last error of a submission: the code of its receipts, and the reason."""
    code = outcome.code if isinstance(outcome, Rejected) else NO_ANSWER
    return storable(f"{code} {outcome.detail}")[: limits.SUBMISSION_ERROR_CHARS_MAX]


async def _record_accepted(tx: Transaction, submission: Submission, accepted: Accepted) -> None:
    await outbox_store.accept_submission(tx, submission)
    submission = msgspec.structs.replace(submission, state=SubmissionState.ACCEPTED)
    refused = {each.recipient: each.code for each in accepted.refused}
    # A report about the reference may have come before: then these statuses are late.
    for each in _recipients(submission):
        if each.address in refused:
            report = StatusReport(FAILED, refused[each.address])
        else:
            report = StatusReport(SENT)
        await _record(tx, submission, [each], report)
    await _add_parts(tx, submission, accepted.provider_ids)


async def _add_parts(
    tx: Transaction, submission: Submission, provider_ids: tuple[str, ...]
) -> None:
    """Record the carrier's identifiers, and apply the reports that came before them."""
    early: list[tuple[str, str]] = []
    for part, text in enumerate(provider_ids[: limits.PROVIDER_IDS_MAX]):
        provider_id = storable(text)
        if not provider_id or len(provider_id) > limits.PROVIDER_ID_CHARS_MAX:
            continue
        await lock_provider_id(tx, submission.carrier, provider_id)
        await outbox_store.add_part(tx, submission, provider_id, part)
        texts = await outbox_store.take_early_reports(tx, submission.carrier, provider_id)
        early += [(provider_id, text) for text in texts]
    for provider_id, text in early:
        await apply_report(tx, submission, decode_report(text), provider_id)


async def lock_provider_id(tx: Transaction, carrier: str, provider_id: str) -> None:
    """Lock an identifier: its part and its early reports change in one transaction at a time."""
    await tx.lock_name("provider id", carrier, provider_id)


# --- Reports --------------------------------------------------------------------------------


async def record_report(tx: Transaction, carrier: str, report: DeliveryReport) -> bool:
    """Record a report; return False if its submission is unknown."""
    if report.reference is not None:
        account_sid = await outbox_store.find_owner(tx, report.reference, carrier)
        if account_sid is None:
            return False
        return await _record_report_of(tx, account_sid, report.reference, report, None)
    if report.provider_id is None:
        return False
    found = await outbox_store.find_part_owner(tx, carrier, report.provider_id)
    return found is not None and await _record_report_of(tx, *found, report, report.provider_id)


async def store_early(tx: Transaction, carrier: str, report: DeliveryReport) -> bool:
    """Store a report whose submission is not recorded yet, unless it was in the meantime.

    Returns whether the report was recorded instead.
    """
    assert report.provider_id is not None
    await lock_provider_id(tx, carrier, report.provider_id)
    if await record_report(tx, carrier, report):
        return True
    await outbox_store.add_early_report(
        tx, carrier, report.provider_id, _encode(report).decode(), tx.now + limits.EARLY_REPORT_MS
    )
    return False


async def _record_report_of(
    tx: Transaction, account_sid: str, sid: str, report: DeliveryReport, provider_id: str | None
) -> bool:
    found = await outbox_store.find_submission(tx, Scope(account_sid), sid)
    submission = None if found is None else await outbox_store.find_locked(tx, found)
    if submission is None:
        return False
    await apply_report(tx, submission, report, provider_id)
    return True


async def apply_report(
    tx: Transaction, submission: Submission, report: DeliveryReport, provider_id: str | None
) -> None:
    """Record a report in the receipts of a submission. Its conversation is locked."""
    recipients = [
        each
        for each in _recipients(submission)
        if report.recipient is None or each.address == report.recipient
    ]
    status = StatusReport(report.status, report.error_code)
    if submission.state == SubmissionState.QUEUED:
        # A report about a submission without a recorded result proves that the carrier accepted
        # it, so it is not sent again.
        await outbox_store.accept_submission(tx, submission)
        if report.status != FAILED:
            await _record(tx, submission, _recipients(submission), StatusReport(SENT))
    elif report.status == FAILED:
        # Once accepted, a message cannot fail any more, only not be delivered.
        status = StatusReport(UNDELIVERED, report.error_code)
    if provider_id is not None and not submission.is_group:
        status = await _folded(tx, submission, status, provider_id)
    await _record(tx, submission, recipients, status)


async def _folded(
    tx: Transaction, submission: Submission, status: StatusReport, provider_id: str
) -> StatusReport:
    """Record the status of one part; return the one of all parts together."""
    parts = await outbox_store.list_parts(tx, submission, limits.PROVIDER_IDS_MAX)
    if len(parts) <= 1:
        return status
    changed = []
    for each in parts:
        if each.provider_id == provider_id and _advances(each.status, status.status):
            after = each._replace(status=status.status, error_code=status.error_code)
            await outbox_store.update_part(tx, submission, after)
            changed.append(after)
        else:
            changed.append(each)
    return fold(StatusReport(each.status, each.error_code) for each in changed)


# The transitions of a part: as of a receipt, but a part is ``sent`` from its beginning.
_ORDER: Final = {SENT: 0, UNDELIVERED: 1, FAILED: 1, DELIVERED: 2, READ: 3}


def _advances(status: str, reported: str) -> bool:
    return _ORDER[reported] > _ORDER[status]


def fold(parts: Iterable[StatusReport]) -> StatusReport:
    """Return the status of a submission from the statuses of its parts.

    ``undelivered`` or ``failed`` as soon as one is, else the lowest of all.
    """
    each = list(parts)
    for part in each:
        if part.status in {UNDELIVERED, FAILED}:
            return StatusReport(UNDELIVERED, part.error_code)
    return min(each, key=lambda part: _ORDER[part.status])


# --- Receipts -------------------------------------------------------------------------------


def _recipients(submission: Submission) -> tuple[SubmissionRecipient, ...]:
    return outbox_store.decode_recipients(submission.recipients)


async def _record(
    tx: Transaction,
    submission: Submission,
    recipients: Iterable[SubmissionRecipient],
    report: StatusReport,
) -> None:
    """Record a status in the receipts of some recipients; automatic answers have none."""
    scope = Scope(submission.account_sid, submission.service_sid)
    for each in recipients:
        if each.receipt_sid is not None:
            await receipt_actions.record_status(tx, scope, each.receipt_sid, report)
