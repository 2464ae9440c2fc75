"""The realtime edge: the WebSocket that the official client SDKs connect to."""
