-- The bytes of a medium that the server made itself, as JSON; others are files.
ALTER TABLE media ADD COLUMN content TEXT;
