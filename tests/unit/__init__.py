"""Tests of single modules, without a server."""
