"""The audit log of operators and of the console."""
