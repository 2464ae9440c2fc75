-- The last results of each URL of an account that got webhooks. date_used is rounded down to the
-- hour: an index on the exact date would be written with each result.
CREATE TABLE webhook_endpoint (
    account_sid TEXT NOT NULL,
    url TEXT NOT NULL,
    date_delivered BIGINT,
    date_failed BIGINT,
    status INTEGER,
    error_code INTEGER,
    error TEXT,
    elapsed_ms INTEGER NOT NULL,
    date_used BIGINT NOT NULL,
    PRIMARY KEY (account_sid, url)
);
-- Over all accounts: only the retention job reads by this index.
CREATE INDEX webhook_endpoint_age ON webhook_endpoint (date_used);
