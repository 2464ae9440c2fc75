-- Whose secrets these are: the fingerprint of the key file that seals and digests them. One row at
-- most. No account in front: the key is that of all accounts.
CREATE TABLE master_key (
    name TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL
);
