"""Faults: failures of requests, sockets, webhooks and carriers that a test orders."""
