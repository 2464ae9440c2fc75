"""Names that no other test uses, and responses to concurrent requests."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import ApiResponse


def unique(word: str) -> str:
    """Return a unique name that starts with a word."""
    return f"{word}-{secrets.token_hex(6)}"


def at_once(count: int, send_request: Callable[[int], ApiResponse]) -> list[ApiResponse]:
    """Return the responses to so many concurrent requests."""
    ready = Barrier(count)

    def send_concurrently(number: int) -> ApiResponse:
        ready.wait()
        return send_request(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(send_concurrently, range(count)))
