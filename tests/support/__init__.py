"""Servers, clients, databases and proxies that tests of several kinds share; no tests."""
