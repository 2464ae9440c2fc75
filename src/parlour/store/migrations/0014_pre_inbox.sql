-- Inbound messages of carriers: until they are processed, and for a week afterwards, so that a
-- redelivery is recognised. Rows that are done have no due date; the content only if the server could
-- not process the message.
CREATE TABLE inbox (
    account_sid TEXT NOT NULL,
    carrier TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    lane TEXT NOT NULL,
    receiver TEXT NOT NULL,
    channel_message_sid TEXT NOT NULL,
    state TEXT NOT NULL,
    content TEXT,
    due_ms BIGINT,
    attempts BIGINT NOT NULL,
    fold_key TEXT,
    is_copy BIGINT NOT NULL,
    outcome TEXT,
    reason TEXT,
    conversation_sid TEXT,
    message_sid TEXT,
    participant_sid TEXT,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, carrier, provider_id)
);
-- The messages of one binding or group, in the order in which they are processed.
CREATE INDEX inbox_lane ON inbox (account_sid, lane, sequence) WHERE state = 'pending';
-- Over all accounts: the next message to process, or to send to a plain webhook.
CREATE INDEX inbox_due ON inbox (due_ms) WHERE due_ms IS NOT NULL;
-- The backlog of an account.
CREATE INDEX inbox_backlog ON inbox (account_sid, due_ms) WHERE due_ms IS NOT NULL;
-- The copies of a group message that reach several own numbers.
CREATE INDEX inbox_fold ON inbox (account_sid, fold_key, sequence) WHERE fold_key IS NOT NULL;
-- Over all accounts: the oldest rows that are done.
CREATE INDEX inbox_done ON inbox (date_updated) WHERE due_ms IS NULL;

-- Recipients that opted out. The owner is a sender, or a messaging service.
CREATE TABLE opt_out (
    account_sid TEXT NOT NULL,
    owner TEXT NOT NULL,
    address TEXT NOT NULL,
    date_created BIGINT NOT NULL,
    PRIMARY KEY (account_sid, owner, address)
);

-- The last inbound message of each WhatsApp user to each sender.
CREATE TABLE whatsapp_window (
    account_sid TEXT NOT NULL,
    sender TEXT NOT NULL,
    address TEXT NOT NULL,
    last_inbound_ms BIGINT NOT NULL,
    PRIMARY KEY (account_sid, sender, address)
);
-- Over all accounts: the windows that ended first.
CREATE INDEX whatsapp_window_age ON whatsapp_window (last_inbound_ms);

-- What a channel adds to a message; data is JSON. mail_id is the Message-ID of an inbound mail.
CREATE TABLE channel_metadata (
    account_sid TEXT NOT NULL,
    conversation_sid TEXT NOT NULL,
    message_sid TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    type TEXT NOT NULL,
    data TEXT NOT NULL,
    mail_id TEXT,
    PRIMARY KEY (account_sid, message_sid)
);
CREATE INDEX channel_metadata_order ON channel_metadata (account_sid, conversation_sid, sequence);
