"""The webhook configuration of a service, which takes the place of its account's."""
