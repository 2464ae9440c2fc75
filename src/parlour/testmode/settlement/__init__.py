"""Settlement: waits until everything that was caused has happened."""
