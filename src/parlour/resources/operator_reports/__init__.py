"""Reports for operators: the health, the queues, the settings and the media of a server."""
