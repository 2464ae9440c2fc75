"""Both engines: transactions, groups, query plans, event log, connections."""
