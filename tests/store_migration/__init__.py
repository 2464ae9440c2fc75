"""Moving a store from SQLite to PostgreSQL, also after an interruption."""
