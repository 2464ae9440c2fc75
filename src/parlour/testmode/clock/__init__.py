"""The clock of test mode: frozen, shifted, or advanced from due time to due time."""
