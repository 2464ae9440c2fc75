"""Access tokens for development, created by the server for applications that cannot yet."""
