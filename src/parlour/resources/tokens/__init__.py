"""Access tokens for development: made by the server, for programs that cannot make them yet."""
