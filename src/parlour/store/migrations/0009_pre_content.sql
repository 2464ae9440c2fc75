-- Content of a medium that the server generated, as JSON; other media are files.
ALTER TABLE media ADD COLUMN content TEXT;
