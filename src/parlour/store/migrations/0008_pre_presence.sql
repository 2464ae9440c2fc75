-- Which node holds connections of which user, where it is shown who is online.
CREATE TABLE presence (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    identity TEXT NOT NULL,
    node TEXT NOT NULL,
    PRIMARY KEY (account_sid, service_sid, identity, node)
);
-- Over all accounts: a node that is gone takes all of its users along.
CREATE INDEX presence_node ON presence (node);

-- The nodes that hold connections, and until when unless they say so again. No account in front:
-- a node is everybody's.
CREATE TABLE node (
    name TEXT NOT NULL PRIMARY KEY,
    expires_ms BIGINT NOT NULL
);
