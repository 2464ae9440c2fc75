"""Limits of outbound messages to carriers."""

from __future__ import annotations

# How long a message may wait for its carrier; then its receipt is failed.
SUBMISSION_MS_MAX = 4 * 60 * 60 * 1000
