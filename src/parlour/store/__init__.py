"""What is kept: engines, transactions, migrations and the event log."""
