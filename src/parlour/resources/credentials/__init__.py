"""Push credentials: what lets an account push notifications to phones."""
