"""Address configurations: the handling of messages from unknown senders to an address."""
