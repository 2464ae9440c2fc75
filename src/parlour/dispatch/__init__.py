"""From the event log to its consumers: the dispatcher of sinks, and hints between nodes."""
