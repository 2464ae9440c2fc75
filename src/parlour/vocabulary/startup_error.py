"""StartupError: the exception of a server that cannot start as configured."""

from __future__ import annotations


class StartupError(Exception):
    """A server cannot start; the text is the reason, for its operator."""
