"""Structured logs on standard error: JSON lines, or readable ones on a terminal.

Every field is named by the code that logs it, and none of them is what a request said: no bodies,
attributes, identities, addresses or secrets.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, TextIO, cast

import structlog

if TYPE_CHECKING:
    from parlour.config import Settings

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class LossyStream:
    """A text stream whose lines are lost while they cannot be written.

    The reader of a pipe may have gone, or the disk of a log file may be full. The request, or the
    stop, that logs must go on all the same, and there is no other place to report it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, or lose it; return its length."""
        try:
            return self._stream.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Write what is buffered, or lose it."""
        try:
            self._stream.flush()
        except OSError:
            return


def configure_logs(settings: Settings) -> None:
    """Set up the process's logs."""
    level = _LEVELS.get(settings.log_level.lower(), logging.INFO)
    console = settings.log_format == "console" or (
        settings.log_format == "auto" and sys.stderr.isatty()
    )
    render: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", LossyStream(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
