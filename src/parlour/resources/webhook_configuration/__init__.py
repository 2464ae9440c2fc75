"""The webhook configuration of an account: where its services tell what happens."""
