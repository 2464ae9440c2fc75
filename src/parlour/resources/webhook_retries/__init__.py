"""The retry schedule of an account's webhooks, a setting that the hosted service does not have."""
