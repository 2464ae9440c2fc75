"""Accounts as operators see and change them: state, traffic, storage and backlog."""
