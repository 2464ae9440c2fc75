"""Accounts and their logins: auth tokens and API keys."""
