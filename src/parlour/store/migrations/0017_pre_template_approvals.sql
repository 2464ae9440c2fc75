-- The language of a content template, and its approval for WhatsApp: the name there, the category,
-- the status, and the reason of a rejection.
ALTER TABLE content_template ADD COLUMN language TEXT NOT NULL DEFAULT 'en';
ALTER TABLE content_template ADD COLUMN approval_name TEXT NOT NULL DEFAULT '';
ALTER TABLE content_template ADD COLUMN approval_category TEXT NOT NULL DEFAULT '';
ALTER TABLE content_template ADD COLUMN approval_status TEXT NOT NULL DEFAULT 'unsubmitted';
ALTER TABLE content_template ADD COLUMN approval_reason TEXT NOT NULL DEFAULT '';
