-- The conversation of each event: a reconnecting client reads the events that it missed. Rows are
-- only appended, so a write costs little; an index that begins with the conversation would double
-- the pages that a change writes.
CREATE INDEX event_conversations ON event (sequence, conversation_sid);
