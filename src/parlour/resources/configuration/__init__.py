"""The configuration of an account: its default services and timers."""
