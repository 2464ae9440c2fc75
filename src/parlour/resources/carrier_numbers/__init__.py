"""Numbers and routes of the carriers file, copied to the database."""
