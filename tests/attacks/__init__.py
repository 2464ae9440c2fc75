"""Attacks by one client: each must leave the others' latency, success and the memory alone."""
