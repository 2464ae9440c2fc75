-- The carriers file in force: at most one row, none without a file. The key does not begin with the
-- account: one file serves all accounts.
CREATE TABLE carriers_file (
    digest TEXT NOT NULL PRIMARY KEY,
    number_count BIGINT NOT NULL
);

-- Which carrier sends for a sender: kind is sender, prefix or channel; the channel * is every one.
-- The key does not begin with the account, as above.
CREATE TABLE carrier_route (
    kind TEXT NOT NULL,
    pattern TEXT NOT NULL,
    carrier TEXT NOT NULL,
    PRIMARY KEY (kind, pattern)
);

-- The numbers of the file; settings is a CarrierNumber in JSON.
CREATE TABLE carrier_number (
    account_sid TEXT NOT NULL,
    address TEXT NOT NULL,
    settings TEXT NOT NULL,
    PRIMARY KEY (account_sid, address)
);
-- Over all accounts: an inbound message belongs to the account of its receiver.
CREATE INDEX carrier_number_address ON carrier_number (address);
