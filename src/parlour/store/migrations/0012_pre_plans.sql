-- What a removed service has to free or leave at once, found without a look at the whole account.
CREATE INDEX participant_pair_of_service ON participant (account_sid, service_sid) WHERE holds_pair = 1;
CREATE INDEX pending_pair_of_service ON pending_pair (account_sid, service_sid);
CREATE INDEX departure_of_service ON departure (account_sid, service_sid);
-- The nodes, by the time at which they are taken for gone.
CREATE INDEX node_expiry ON node (expires_ms, name);
