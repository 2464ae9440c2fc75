-- Virtual phones: the addresses on the far side of the virtual carrier. Each account has its own.
-- token breaks ties in pages; activity is the number of the last message or change.
-- An error_code of 0 is the default of the channel.
CREATE TABLE virtual_phone (
    account_sid TEXT NOT NULL,
    address TEXT NOT NULL,
    token TEXT NOT NULL,
    channel TEXT NOT NULL,
    name TEXT,
    behaviour TEXT NOT NULL,
    delay_ms INTEGER NOT NULL,
    error_code INTEGER NOT NULL,
    receipts TEXT NOT NULL,
    reads INTEGER NOT NULL,
    activity BIGINT NOT NULL,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, address)
);
CREATE INDEX virtual_phone_activity ON virtual_phone (account_sid, activity, token);
CREATE INDEX virtual_phone_channel ON virtual_phone (account_sid, channel, activity, token);

-- Messages of a phone. A held message waits for its phone to be switched on. recipients, members
-- and media are JSON arrays; size counts body and media, in bytes.
CREATE TABLE virtual_phone_message (
    account_sid TEXT NOT NULL,
    address TEXT NOT NULL,
    sid TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    direction TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL,
    members TEXT,
    body TEXT,
    media TEXT NOT NULL,
    size BIGINT NOT NULL,
    encoding TEXT,
    segments INTEGER NOT NULL,
    status TEXT NOT NULL,
    error_code INTEGER,
    conversation_sid TEXT,
    message_sid TEXT,
    participant_sid TEXT,
    outcome TEXT,
    reason TEXT,
    is_held INTEGER NOT NULL,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, address, sid)
);
CREATE INDEX virtual_phone_message_order
    ON virtual_phone_message (account_sid, address, sequence, sid);
CREATE INDEX virtual_phone_message_age ON virtual_phone_message (account_sid, sequence);

-- The phones' own copies of media. A removed one remains until its file is deleted.
CREATE TABLE virtual_phone_medium (
    account_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    address TEXT NOT NULL,
    message_sid TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    filename TEXT,
    is_removed INTEGER NOT NULL,
    PRIMARY KEY (account_sid, sid)
);
CREATE INDEX virtual_phone_medium_of_message
    ON virtual_phone_medium (account_sid, address, message_sid);
-- The scheduler reads the removed media of all accounts.
CREATE INDEX virtual_phone_medium_removed ON virtual_phone_medium (sid) WHERE is_removed = 1;

-- Delivery reports that are due later.
CREATE TABLE virtual_phone_report (
    account_sid TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    reference TEXT NOT NULL,
    recipient TEXT NOT NULL,
    status TEXT NOT NULL,
    error_code INTEGER NOT NULL,
    due_ms BIGINT NOT NULL,
    PRIMARY KEY (account_sid, sequence)
);
-- The scheduler reads the due reports of all accounts.
CREATE INDEX virtual_phone_report_due ON virtual_phone_report (due_ms, sequence);

-- The number of phones of an account, and the bytes of their messages.
CREATE TABLE virtual_phone_usage (
    account_sid TEXT NOT NULL PRIMARY KEY,
    phones BIGINT NOT NULL,
    bytes BIGINT NOT NULL
);
