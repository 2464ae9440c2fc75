-- Inbound messages whose acknowledgement to the network of their carrier is not recorded, of carriers
-- whose network gives messages no identifier. A row is deleted soon after the acknowledgement.
CREATE TABLE inbox_unacknowledged (
    account_sid TEXT NOT NULL,
    carrier TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    date_created BIGINT NOT NULL,
    PRIMARY KEY (account_sid, carrier, provider_id)
);
-- Over all accounts: the messages that are expected again, and the oldest rows.
CREATE INDEX inbox_unacknowledged_age ON inbox_unacknowledged (date_created);
