-- Webhook deliveries, and the log of attempts. Indexes whose condition names a state contain only
-- pending work, so that a long history costs nothing while there is little work.

-- A delivery: one event for one webhook. After its end it is retained as the record of the request,
-- until the retention time is over. `event_sequence` is 0 for a pre-action webhook: no event was
-- committed when the request was made. A lane is one URL and one conversation: its deliveries are
-- sent one at a time, in the order of `lane_order`. Only the first pending one of a lane has a
-- `due_ms`.
CREATE TABLE webhook_delivery (
    account_sid TEXT NOT NULL,
    event_sequence BIGINT NOT NULL,
    target_key TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    conversation_sid TEXT NOT NULL,
    event_name TEXT NOT NULL,
    scope TEXT NOT NULL,
    webhook_sid TEXT,
    url TEXT NOT NULL,
    method TEXT NOT NULL,
    retry_limit INTEGER,
    token TEXT NOT NULL,
    parameters TEXT NOT NULL,
    lane BIGINT NOT NULL,
    lane_order BIGINT NOT NULL,
    state TEXT NOT NULL,
    retry_count INTEGER NOT NULL,
    due_ms BIGINT,
    date_queued BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, event_sequence, target_key)
);
CREATE INDEX webhook_delivery_lane
    ON webhook_delivery (account_sid, lane, lane_order) WHERE state = 'pending';
CREATE INDEX webhook_delivery_due
    ON webhook_delivery (account_sid, url, due_ms, lane) WHERE due_ms IS NOT NULL;
CREATE INDEX webhook_delivery_pending
    ON webhook_delivery (account_sid, event_sequence) WHERE state = 'pending';
-- Over all accounts: only the retention job reads by this index.
CREATE INDEX webhook_delivery_age ON webhook_delivery (date_updated) WHERE state <> 'pending';

-- One attempt of a delivery. SIDs ascend with time, so the key is also the order of the list.
CREATE TABLE webhook_attempt (
    account_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    event_sequence BIGINT NOT NULL,
    target_key TEXT NOT NULL,
    conversation_sid TEXT NOT NULL,
    event_name TEXT NOT NULL,
    outcome TEXT NOT NULL,
    retry_count INTEGER NOT NULL,
    status INTEGER,
    error_code INTEGER,
    error TEXT,
    elapsed_ms INTEGER NOT NULL,
    answer TEXT NOT NULL,
    next_attempt_ms BIGINT,
    date_created BIGINT NOT NULL,
    PRIMARY KEY (account_sid, sid)
);
CREATE INDEX webhook_attempt_conversation ON webhook_attempt (account_sid, conversation_sid, sid);
CREATE INDEX webhook_attempt_event ON webhook_attempt (account_sid, event_name, sid);
CREATE INDEX webhook_attempt_outcome
    ON webhook_attempt (account_sid, outcome, sid) WHERE outcome <> 'delivered';
CREATE INDEX webhook_attempt_age ON webhook_attempt (date_created);

-- Retry schedule of an account that chose one: durable or hosted.
CREATE TABLE webhook_schedule (
    account_sid TEXT NOT NULL PRIMARY KEY,
    schedule TEXT NOT NULL
);
