"""How an account's failed webhooks are retried: a setting of its own."""
