-- Who does what only one process may do at a time, and until when unless it says so again. The
-- fence grows with every new owner. No account in front: it is the work of all accounts.
CREATE TABLE lease (
    name TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    fence BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);
