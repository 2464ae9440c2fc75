-- A removed medium stays as a row, marked, until its file is gone.
ALTER TABLE media ADD COLUMN is_removed INTEGER NOT NULL DEFAULT 0;
-- The scheduler looks for what is due over all accounts, so these do not begin with the account.
CREATE INDEX media_removed ON media (sid) WHERE is_removed = 1;
CREATE INDEX media_unattached_age ON media (date_created) WHERE message_sid IS NULL AND is_removed = 0;
CREATE INDEX media_unattached
    ON media (account_sid, service_sid, author) WHERE message_sid IS NULL AND is_removed = 0;
