"""Triggers of test mode."""

from __future__ import annotations

# How long a trigger waits for the report of a carrier; after it, it answers 202.
TRIGGER_WAIT_SECONDS_MAX = 5
