-- Outbound messages for carriers: queued until a carrier accepts them, then without content for the
-- reports that follow. carrier is empty if no route covers the sender. Of the queued submissions of
-- a lane only the first has a due date. date_ended is NULL while a submission is queued.
CREATE TABLE submission (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    conversation_sid TEXT NOT NULL,
    message_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    carrier TEXT NOT NULL,
    channel TEXT NOT NULL,
    sender TEXT,
    lane TEXT NOT NULL,
    lane_order BIGINT NOT NULL,
    is_group INTEGER NOT NULL,
    recipients TEXT NOT NULL,
    content TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    due_ms BIGINT,
    expires_ms BIGINT NOT NULL,
    last_error TEXT,
    date_created BIGINT NOT NULL,
    date_ended BIGINT,
    PRIMARY KEY (account_sid, sid)
);
-- Over all accounts: a report names only the submission.
CREATE INDEX submission_sid ON submission (sid);
-- The heads of the lanes of a carrier, by account.
CREATE INDEX submission_due ON submission (carrier, account_sid, due_ms) WHERE due_ms IS NOT NULL;
-- The queued submissions of a lane in order.
CREATE INDEX submission_lane ON submission (account_sid, lane, lane_order) WHERE state = 'queued';
-- Over all accounts: the length of each carrier's queue.
CREATE INDEX submission_queue ON submission (carrier) WHERE state = 'queued';
CREATE INDEX submission_message ON submission (account_sid, message_sid);
CREATE INDEX submission_conversation ON submission (account_sid, conversation_sid, lane_order);
-- Over all accounts: the oldest submissions that ended.
CREATE INDEX submission_ended ON submission (date_ended) WHERE date_ended IS NOT NULL;

-- The parts of an accepted submission. The key does not begin with the account: a report names only
-- the identifier of its carrier.
CREATE TABLE submission_part (
    account_sid TEXT NOT NULL,
    submission_sid TEXT NOT NULL,
    carrier TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    part INTEGER NOT NULL,
    status TEXT NOT NULL,
    error_code INTEGER NOT NULL,
    PRIMARY KEY (carrier, provider_id)
);
CREATE INDEX submission_part_order ON submission_part (account_sid, submission_sid, part);

-- Reports about identifiers that no submission has yet, for a minute. Their account is unknown.
CREATE TABLE early_report (
    carrier TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    report TEXT NOT NULL,
    expires_ms BIGINT NOT NULL,
    PRIMARY KEY (carrier, provider_id, sequence)
);
CREATE INDEX early_report_expiry ON early_report (expires_ms);

-- Receipts of messages that the previous version has not sent: it gives no SID before a carrier
-- accepted the message, this version gives one with the receipt.
CREATE INDEX receipt_unsent ON receipt (account_sid, sid)
    WHERE status IS NULL AND channel_message_sid IS NULL;
