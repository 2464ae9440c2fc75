"""Rows of the outbox: submissions, the parts that a carrier accepted, and early reports.

A submission is one message for one recipient, for all members of a group, or one mail. Its SID is
the channel message SID, and the reference towards the carrier in each repetition.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from parlour.resources.content_templates.channel_rendering import (
    OutboundTemplate,  # noqa: TC001 - decoded here.
)
from parlour.store.statements import statement, values_of
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction


class SubmissionState(StrEnum):
    """The state of a submission; a value is the text in the column."""

    # state     due_ms                next state, and its cause
    # --------  --------------------  ----------------------------------------------------------
    # queued    of the head of a      queued: a transient rejection, or no result, with a backoff
    #           lane only             accepted: the carrier accepted it, or reported about it
    #                                 (deleted): rejected, expired, or its message was deleted
    # accepted  NULL                  (deleted): after the retention, or with its conversation
    #
    # A submission that failed needs no row: its receipts are final.

    QUEUED = "queued"
    ACCEPTED = "accepted"


class SubmissionRecipient(msgspec.Struct, frozen=True):
    """One recipient. ``receipt_sid`` is None for an automatic answer, which has no receipt.

    ``message_sid`` is its channel message SID.
    """

    receipt_sid: str | None
    participant_sid: str | None
    address: str
    message_sid: str


class SubmissionMedium(msgspec.Struct, frozen=True):
    """The snapshot of a medium in its message. ``size`` in bytes."""

    sid: str
    size: int
    content_type: str
    filename: str | None
    category: str = "media"


class OutboundEmail(msgspec.Struct, frozen=True):
    """The parts of an outbound message that only e-mail has.

    ``cc`` are the recipients that get a copy; the others are in the header To. ``references``
    are the Message-IDs of the conversation's last mails in and out, oldest first, with their angle
    brackets; the last one becomes In-Reply-To. The carrier makes Message-ID and Reply-To itself
    (`protocol/email_threading.py`), both with the domain of ``sender``.
    """

    subject: str
    sender_name: str | None
    names: dict[str, str]
    cc: tuple[str, ...]
    references: tuple[str, ...]


class SubmissionContent(msgspec.Struct, frozen=True, omit_defaults=True):
    """The content of a submission.

    ``group`` are all numbers of a group's thread, own ones included.
    """

    body: str | None = None
    media: tuple[SubmissionMedium, ...] = ()
    template: OutboundTemplate | None = None
    email: OutboundEmail | None = None
    group: tuple[str, ...] = ()


class Submission(msgspec.Struct, frozen=True):
    """One row. Dates in milliseconds since 1970 UTC; ``recipients`` and ``content`` are JSON.

    ``conversation_sid`` and ``message_sid`` are empty for an automatic answer. ``carrier`` is empty
    if no route covers the sender. ``lane`` is the binding (sender and address), or the thread of a
    group, and ``lane_order`` the index of the message. ``content`` is empty once the carrier
    accepted it.
    """

    account_sid: str
    service_sid: str
    conversation_sid: str
    message_sid: str
    sid: str
    carrier: str
    channel: str
    sender: str | None
    lane: str
    lane_order: int
    is_group: int
    recipients: str
    content: str
    state: str
    attempts: int
    due_ms: int | None
    expires_ms: int
    last_error: str | None
    date_created: int
    date_ended: int | None


class SubmissionPart(NamedTuple):
    """One part of an accepted submission, by its identifier at the carrier."""

    provider_id: str
    part: int
    status: str
    error_code: int


decode_recipients = msgspec.json.Decoder(tuple[SubmissionRecipient, ...]).decode
decode_content = msgspec.json.Decoder(SubmissionContent).decode
encode = msgspec.json.Encoder().encode

# Invariant: of the queued submissions of a conversation in a lane exactly the first by
# ``lane_order``, its head, has a ``due_ms``. A transaction that adds, ends or deletes a submission
# of a conversation has locked the conversation before, so that no two of them change these at a
# time:
#
#   INSERT          due only if no other submission of the lane is queued
#   ACCEPT, DELETE  end the head; the caller runs PROMOTE for its lane in the same transaction
#   RETRY           keeps the head, with a later ``due_ms``
#   PROMOTE         makes the first queued submission the head, if it is not yet
#
# A lane without a head is never sent; a second head would be sent out of order.
#
# A binding moves to another conversation once its own one is closed, or its participant removed,
# and may leave a backlog there. Then its lane has a head in each of them: the loader takes the
# older one (HEADS in queue.py), so this needs no lock that both conversations share.
# ``|| ''`` keeps planners from the index of conversations, which also has all ended rows.
INSERT = statement(
    "INSERT INTO submission ({columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
    " $13, $14, $15, CASE WHEN EXISTS (SELECT 1 FROM submission WHERE account_sid = $1"
    " AND lane = $9 AND conversation_sid || '' = $3 AND state = 'queued')"
    " THEN NULL ELSE CAST($16 AS BIGINT) END, $17, $18, $19, $20) ON CONFLICT DO NOTHING",
    Submission,
)
_FIND = "SELECT {columns} FROM submission WHERE account_sid = $1 AND sid = $2"
FIND = statement(_FIND, Submission)
FIND_LOCKED = statement(_FIND + " FOR UPDATE", Submission)
# tidy: account-in-sql - a report does not name the account
FIND_OWNER = "SELECT account_sid FROM submission WHERE sid = $1 AND carrier = $2"
LOCK_CONVERSATION = """
SELECT sid FROM conversation WHERE account_sid = $1 AND service_sid = $2 AND sid = $3 FOR UPDATE
"""
ACCEPT = """
UPDATE submission
   SET state = 'accepted', attempts = attempts + 1, due_ms = NULL, content = '', last_error = NULL,
       date_ended = $3
 WHERE account_sid = $1 AND sid = $2 AND state = 'queued'
"""
RETRY = """
UPDATE submission SET attempts = attempts + 1, due_ms = $3, last_error = $4
 WHERE account_sid = $1 AND sid = $2 AND state = 'queued' AND attempts = $5
"""
DELETE = "DELETE FROM submission WHERE account_sid = $1 AND sid = $2 AND state = 'queued'"
PROMOTE = """
UPDATE submission SET due_ms = $3
 WHERE account_sid = $1 AND lane = $2 AND state = 'queued' AND due_ms IS NULL
   AND conversation_sid || '' = $4
   AND lane_order = (SELECT MIN(lane_order) FROM submission
                      WHERE account_sid = $1 AND lane = $2 AND state = 'queued'
                        AND conversation_sid || '' = $4)
"""
LANES_OF_MESSAGE = """
SELECT lane, conversation_sid FROM submission
 WHERE account_sid = $1 AND message_sid = $2 AND state = 'queued' ORDER BY lane LIMIT 100
"""
DELETE_PARTS_OF_MESSAGE = """
DELETE FROM submission_part WHERE account_sid = $1 AND submission_sid IN (
    SELECT sid FROM submission WHERE account_sid = $1 AND message_sid = $2)
"""
DELETE_OF_MESSAGE = "DELETE FROM submission WHERE account_sid = $1 AND message_sid = $2"

# A part that is already known belongs to an earlier submission: the carrier uses its number again.
ADD_PART = """
INSERT INTO submission_part (account_sid, submission_sid, carrier, provider_id, part, status,
                             error_code)
VALUES ($1, $2, $3, $4, $5, 'sent', 0)
ON CONFLICT (carrier, provider_id) DO UPDATE
   SET account_sid = excluded.account_sid, submission_sid = excluded.submission_sid,
       part = excluded.part, status = excluded.status, error_code = excluded.error_code
 WHERE submission_part.submission_sid <> excluded.submission_sid
"""
# tidy: account-in-sql - the query returns the account
FIND_PART_OWNER = """
SELECT account_sid, submission_sid FROM submission_part WHERE carrier = $1 AND provider_id = $2
"""
PARTS = """
SELECT provider_id, part, status, error_code FROM submission_part
 WHERE account_sid = $1 AND submission_sid = $2 ORDER BY part LIMIT $3
"""
UPDATE_PART = """
UPDATE submission_part SET status = $4, error_code = $5
 WHERE account_sid = $1 AND carrier = $2 AND provider_id = $3
"""

ADD_EARLY = """
INSERT INTO early_report (carrier, provider_id, sequence, report, expires_ms)
VALUES ($1, $2, $3, $4, $5)
"""
EARLY_OF = """
SELECT report FROM early_report WHERE carrier = $1 AND provider_id = $2 ORDER BY sequence LIMIT 100
"""
DELETE_EARLY_OF = "DELETE FROM early_report WHERE carrier = $1 AND provider_id = $2"


# --- Submissions ----------------------------------------------------------------------------


async def insert_submission(tx: Transaction, submission: Submission) -> None:
    """Queue a submission; one with a known SID changes nothing.

    Its conversation is locked, if it has one.
    """
    await tx.run(INSERT, *values_of(submission))


# tidy: scope-first - reports do not name an account
async def find_owner(tx: Transaction, sid: str, carrier: str) -> str | None:
    """Return the account of a submission of this carrier."""
    row = await tx.one(FIND_OWNER, sid, carrier)
    return row[0] if row else None


# tidy: scope-first - as above
async def find_part_owner(
    tx: Transaction, carrier: str, provider_id: str
) -> tuple[str, str] | None:
    """Return the account and the submission of a carrier's identifier."""
    row = await tx.one(FIND_PART_OWNER, carrier, provider_id)
    return (row[0], row[1]) if row else None


async def find_submission(tx: Transaction, scope: Scope, sid: str) -> Submission | None:
    """Return a submission."""
    row = await tx.one(FIND, scope.account_sid, sid)
    return Submission(*row) if row else None


async def find_locked(tx: Transaction, submission: Submission) -> Submission | None:
    """Lock the conversation of a submission, then the submission; return its row as it is now."""
    if submission.conversation_sid:
        await tx.one(
            LOCK_CONVERSATION,
            submission.account_sid,
            submission.service_sid,
            submission.conversation_sid,
        )
    row = await tx.one(FIND_LOCKED, submission.account_sid, submission.sid)
    return Submission(*row) if row else None


async def accept_submission(tx: Transaction, submission: Submission) -> bool:
    """Record the acceptance; return False if the submission is not queued any more."""
    if not await tx.run(ACCEPT, submission.account_sid, submission.sid, tx.now):
        return False
    scope = Scope(submission.account_sid)
    await _promote(tx, scope, submission.lane, submission.conversation_sid)
    return True


async def delete_submission(tx: Transaction, submission: Submission) -> bool:
    """Delete a submission that failed; return False if it is not queued any more."""
    if not await tx.run(DELETE, submission.account_sid, submission.sid):
        return False
    scope = Scope(submission.account_sid)
    await _promote(tx, scope, submission.lane, submission.conversation_sid)
    return True


async def _promote(tx: Transaction, scope: Scope, lane: str, conversation_sid: str) -> None:
    """Make the first queued submission of a conversation in a lane its head."""
    await tx.run(PROMOTE, scope.account_sid, lane, tx.now, conversation_sid)


async def retry_submission(
    tx: Transaction, submission: Submission, due_ms: int, error: str
) -> None:
    """Set the date of the next attempt. A result that was recorded already changes nothing."""
    key, attempts = (submission.account_sid, submission.sid), submission.attempts
    await tx.run(RETRY, *key, due_ms, error, attempts)


async def delete_submissions_of_message(tx: Transaction, scope: Scope, message_sid: str) -> None:
    """Delete the submissions of a deleted message, sent or not. Its conversation is locked."""
    lanes = await tx.all(LANES_OF_MESSAGE, scope.account_sid, message_sid)
    await tx.run(DELETE_PARTS_OF_MESSAGE, scope.account_sid, message_sid)
    await tx.run(DELETE_OF_MESSAGE, scope.account_sid, message_sid)
    for lane, conversation_sid in lanes:
        await _promote(tx, scope, lane, conversation_sid)


# --- Parts and early reports ----------------------------------------------------------------


async def add_part(tx: Transaction, submission: Submission, provider_id: str, part: int) -> None:
    """Record one identifier of an accepted submission; a known one changes nothing."""
    key = (submission.account_sid, submission.sid, submission.carrier)
    await tx.run(ADD_PART, *key, provider_id, part)


async def list_parts(
    tx: Transaction, submission: Submission, count_max: int
) -> list[SubmissionPart]:
    """Return the parts of a submission in order."""
    rows = await tx.all(PARTS, submission.account_sid, submission.sid, count_max)
    return [SubmissionPart(*row) for row in rows]


async def update_part(tx: Transaction, submission: Submission, part: SubmissionPart) -> None:
    """Write the status of one part."""
    carrier, (provider_id, _, status, error_code) = submission.carrier, part
    await tx.run(UPDATE_PART, submission.account_sid, carrier, provider_id, status, error_code)


# tidy: scope-first - the account of the report is unknown
async def add_early_report(
    tx: Transaction, carrier: str, provider_id: str, report: str, expires_ms: int
) -> None:
    """Store a report about an unknown identifier."""
    await tx.run(ADD_EARLY, carrier, provider_id, tx.next_sequence(), report, expires_ms)


# tidy: scope-first - as above
async def take_early_reports(tx: Transaction, carrier: str, provider_id: str) -> list[str]:
    """Delete and return the early reports about an identifier, oldest first."""
    rows = await tx.all(EARLY_OF, carrier, provider_id)
    if rows:
        await tx.run(DELETE_EARLY_OF, carrier, provider_id)
    return [row[0] for row in rows]
