"""Logged failures: which are suppressed, at which level, and with which values."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from parlour.vocabulary.failure_log import failures_logged


def test_expected_error_is_a_warning_with_its_text_and_values() -> None:
    with capture_logs() as logged, failures_logged("poll_failed", OSError, lease="webhooks"):
        raise ConnectionError("gone")
    assert logged == [
        {
            "event": "poll_failed",
            "log_level": "warning",
            "error": "ConnectionError('gone')",
            "lease": "webhooks",
        }
    ]


def test_unexpected_error_is_logged_with_its_traceback_and_values() -> None:
    with capture_logs() as logged, failures_logged("poll_failed", OSError, lease="webhooks"):
        raise KeyError("bug")
    assert logged == [
        {"event": "poll_failed", "log_level": "error", "exc_info": True, "lease": "webhooks"}
    ]


def test_success_logs_nothing() -> None:
    with capture_logs() as logged, failures_logged("poll_failed"):
        pass
    assert logged == []


def test_cancellation_is_neither_logged_nor_suppressed() -> None:
    with (
        capture_logs() as logged,
        pytest.raises(asyncio.CancelledError),
        failures_logged("poll_failed", OSError),
    ):
        raise asyncio.CancelledError
    assert logged == []
