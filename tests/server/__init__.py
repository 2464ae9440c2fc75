"""The process: start, settings, data folder, TLS, connection caps, metrics, doctor."""
