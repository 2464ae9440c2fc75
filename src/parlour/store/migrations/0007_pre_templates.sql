-- What a content template consists of beside its text: its forms by type, and its variables with
-- samples, both as JSON objects. A template that has none is a text alone.
ALTER TABLE content_template ADD COLUMN types TEXT;
ALTER TABLE content_template ADD COLUMN variables TEXT;
