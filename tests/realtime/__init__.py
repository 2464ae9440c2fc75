"""The realtime socket: access, subscriptions, replay, commands, limits."""
