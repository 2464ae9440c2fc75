"""Address configurations: what happens when somebody unknown writes to one of our addresses."""
