"""The socket: the second edge, which the official client SDKs connect to."""
