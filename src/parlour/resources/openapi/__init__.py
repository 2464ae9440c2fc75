"""OpenAPI descriptions of the operations of this server."""
