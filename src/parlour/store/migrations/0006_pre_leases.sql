-- Leases of exclusive background work: owner, expiry unless it is renewed, and a fence that grows
-- with each owner. The key does not begin with the account: the work is for all accounts.
CREATE TABLE lease (
    name TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    fence BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);
