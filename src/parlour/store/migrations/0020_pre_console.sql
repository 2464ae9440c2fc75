-- Operators: keys of those who run the server, for all accounts. A revoked one remains, so that
-- its name can be found in the audit log. last_used is 0 before the first use.
CREATE TABLE operator (
    sid TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    secret_digest TEXT NOT NULL,
    date_created BIGINT NOT NULL,
    last_used BIGINT NOT NULL,
    date_revoked BIGINT
);
CREATE UNIQUE INDEX operator_name ON operator (name) WHERE date_revoked IS NULL;
CREATE INDEX operator_order ON operator (date_created, sid);

-- Sessions of the console. An operator's has an empty account_sid; ends is 0 if it ends with the
-- process (test mode). The row of an ended session is deleted.
CREATE TABLE console_session (
    sid TEXT NOT NULL PRIMARY KEY,
    token_digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    principal_name TEXT NOT NULL,
    role TEXT NOT NULL,
    account_sid TEXT NOT NULL,
    made BIGINT NOT NULL,
    last_used BIGINT NOT NULL,
    ends BIGINT NOT NULL
);
CREATE UNIQUE INDEX console_session_token ON console_session (token_digest);
CREATE INDEX console_session_principal ON console_session (account_sid, principal_name);
CREATE INDEX console_session_order ON console_session (made, sid);
-- The scheduler reads the idle sessions of all accounts.
CREATE INDEX console_session_idle ON console_session (last_used) WHERE ends > 0;

-- Tickets: each opens one session, once. A used one is deleted.
CREATE TABLE console_ticket (
    digest TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    principal_name TEXT NOT NULL,
    role TEXT NOT NULL,
    account_sid TEXT NOT NULL,
    ends BIGINT NOT NULL
);
CREATE INDEX console_ticket_ends ON console_ticket (ends);

-- The audit log: changes through the console or by operators, and conversations that operators
-- opened. No contents. account_sid is empty for operations of the server.
CREATE TABLE console_audit (
    sequence {identity},
    sid TEXT NOT NULL,
    date BIGINT NOT NULL,
    principal_kind TEXT NOT NULL,
    principal_name TEXT NOT NULL,
    role TEXT NOT NULL,
    session_sid TEXT NOT NULL,
    operation TEXT NOT NULL,
    subject_sid TEXT NOT NULL,
    account_sid TEXT NOT NULL
);
CREATE INDEX console_audit_date ON console_audit (date);
