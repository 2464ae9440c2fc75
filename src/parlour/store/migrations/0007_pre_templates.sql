-- The forms of a content template by type, and its variables with samples, both as JSON objects.
-- NULL for a template that has only a text.
ALTER TABLE content_template ADD COLUMN types TEXT;
ALTER TABLE content_template ADD COLUMN variables TEXT;
