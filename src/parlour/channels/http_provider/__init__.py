"""A carrier with an HTTP API in the shape of the Programmable Messaging API."""
