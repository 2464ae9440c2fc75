"""Accounts and the logins that stand for them: auth tokens and API keys."""
