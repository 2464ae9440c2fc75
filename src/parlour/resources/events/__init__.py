"""The event feed: the committed events of an account, as pages and as a stream."""
