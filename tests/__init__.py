"""Parlour's tests; `docs/contributing/tests.md` is the map of the folders."""
