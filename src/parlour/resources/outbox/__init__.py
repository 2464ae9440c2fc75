"""The outbox: messages for carriers, from their own transaction until they are accepted."""
