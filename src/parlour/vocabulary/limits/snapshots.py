"""Test accounts and snapshots, which exist with ``--test`` only."""

from __future__ import annotations

from parlour.vocabulary.limits.units import MEBIBYTE

# Auth token of an account that a test creates, in characters.
TEST_AUTH_TOKEN_CHARS_MAX = 256
# Snapshots of all accounts and of the server.
SNAPSHOTS_MAX = 16
# Rows of all snapshots together; they are in memory.
SNAPSHOT_BYTES_MAX = 256 * MEBIBYTE
# Name of a snapshot, in characters.
SNAPSHOT_NAME_CHARS_MAX = 64
# Polling interval of connections that a reset closes together, until all frames are sent.
DISCONNECT_POLL_MS = 2
# Reconnect delay of a client whose account was reset by a test.
RECONNECT_AFTER_RESET_MS = 1_000
