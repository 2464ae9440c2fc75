-- The nodes that have connections of each user, in services that show whether users are online.
CREATE TABLE presence (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    identity TEXT NOT NULL,
    node TEXT NOT NULL,
    PRIMARY KEY (account_sid, service_sid, identity, node)
);
-- Over all accounts: the users of an expired node go offline.
CREATE INDEX presence_node ON presence (node);

-- Expiry of each node's registration, unless it is renewed. The key does not begin with the
-- account: nodes serve all accounts.
CREATE TABLE node (
    name TEXT NOT NULL PRIMARY KEY,
    expires_ms BIGINT NOT NULL
);
