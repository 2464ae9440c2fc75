-- When the last backup was made that the server knows of: one row, or none.
CREATE TABLE last_backup (
    made BIGINT NOT NULL PRIMARY KEY
);
