-- Fingerprint of the key file that seals and digests the secrets: at most one row. The key does not
-- begin with the account: one key file serves all accounts.
CREATE TABLE master_key (
    name TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL
);
