"""Any sequence of requests, valid or malformed, gives what a plain model gives."""
