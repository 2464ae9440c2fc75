"""Isolation of accounts, credentials, outbound requests, uploads, backups from elsewhere."""
