-- Inbound messages that the server could not process: they keep their content, and an operator may
-- replay them. date_replayed is the date of the last replay. is_keyword_applied is 1 once the
-- opt-out word in a message is applied, so that a replay does not repeat it.
ALTER TABLE inbox ADD COLUMN date_replayed BIGINT;
ALTER TABLE inbox ADD COLUMN is_keyword_applied BIGINT NOT NULL DEFAULT 0;
CREATE INDEX inbox_given_up ON inbox (account_sid, sequence)
 WHERE state = 'done' AND content IS NOT NULL;
CREATE INDEX inbox_given_up_sid ON inbox (account_sid, channel_message_sid)
 WHERE state = 'done' AND content IS NOT NULL;
