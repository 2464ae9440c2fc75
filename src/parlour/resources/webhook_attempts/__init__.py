"""The webhook log: every request that was made to a webhook, and doing it again."""
