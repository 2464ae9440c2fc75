"""Returns freed heap memory to the operating system.

The allocator keeps freed blocks between used ones. After a burst of large responses that would be
most of the buffer pool, for the lifetime of the process.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from parlour.vocabulary import limits

if TYPE_CHECKING:
    import asyncio

    from parlour.operations.buffers import BufferPool


class HeapTrimmer:
    """Trims the heap in a thread, after the buffer pool was full and is empty again."""

    def __init__(self, buffers: BufferPool, loop: asyncio.AbstractEventLoop) -> None:
        self._buffers = buffers
        self._loop = loop
        self._peak_bytes = 0
        self._calm_looks = 0
        # glibc only; elsewhere the heap is never trimmed.
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def check(self) -> None:
        """Trim after TRIM_CALM_LOOKS checks with low usage; called periodically."""
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
