"""The PostgreSQL engine: connection pool, transactions, group commit, schema, event gaps."""
