-- The row of a removed medium is a tombstone until its file is deleted.
ALTER TABLE media ADD COLUMN is_removed INTEGER NOT NULL DEFAULT 0;
-- The scheduler reads due rows of all accounts, so these indexes do not begin with the account.
CREATE INDEX media_removed ON media (sid) WHERE is_removed = 1;
CREATE INDEX media_unattached_age ON media (date_created) WHERE message_sid IS NULL AND is_removed = 0;
CREATE INDEX media_unattached
    ON media (account_sid, service_sid, author) WHERE message_sid IS NULL AND is_removed = 0;
