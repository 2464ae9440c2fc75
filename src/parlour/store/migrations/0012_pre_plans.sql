-- Indexes for cleanup below a removed service, without a scan of the account.
CREATE INDEX participant_pair_of_service ON participant (account_sid, service_sid) WHERE holds_pair = 1;
CREATE INDEX pending_pair_of_service ON pending_pair (account_sid, service_sid);
CREATE INDEX departure_of_service ON departure (account_sid, service_sid);
-- The nodes, by the time from which they are considered expired.
CREATE INDEX node_expiry ON node (expires_ms, name);
