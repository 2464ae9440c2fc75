"""Test functions, which exist with ``--test`` only: a server without it imports none of this."""
