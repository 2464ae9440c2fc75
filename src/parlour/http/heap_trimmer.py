"""Giving freed memory back to the system.

The C library keeps what was freed between blocks that are still used. After a flood of large
answers that would be most of what the buffers held, for as long as the process runs.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from parlour.vocabulary import limits

if TYPE_CHECKING:
    import asyncio

    from parlour.operations.buffers import BufferPool


class HeapTrimmer:
    """Trims the heap in a thread, after the buffers were full and have emptied."""

    def __init__(self, buffers: BufferPool, loop: asyncio.AbstractEventLoop) -> None:
        self._buffers = buffers
        self._loop = loop
        self._peak_bytes = 0
        self._calm_looks = 0
        # Of glibc alone; elsewhere nothing is trimmed.
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def check(self) -> None:
        """Trim if it is time; called now and then."""
        used = self._buffers.used
        self._peak_bytes = max(self._peak_bytes, used)
        if self._peak_bytes < limits.TRIM_BYTES_MIN or used > self._peak_bytes // 2:
            self._calm_looks = 0
            return
        self._calm_looks += 1
        if self._calm_looks < limits.TRIM_CALM_CHECKS:
            return
        self._peak_bytes = 0
        if self._trim is not None:
            self._loop.run_in_executor(None, self._trim, 0)
