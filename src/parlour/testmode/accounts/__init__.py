"""Accounts that tests create for themselves."""
