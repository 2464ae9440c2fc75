-- Which conversation each event is about, apart from what it says: a client that comes back asks
-- what changed meanwhile. Rows only come at its end, so it costs a change next to nothing, where
-- an index that begins with the conversation would double the pages that a change writes.
CREATE INDEX event_conversations ON event (sequence, conversation_sid);
