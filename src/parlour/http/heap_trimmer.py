"""Returns freed heap memory to the operating system.

The allocator retains freed blocks between used ones. After a burst of large responses these could
be most of the buffer pool, for the lifetime of the process.
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
        self._low_checks = 0
        # glibc only; elsewhere the heap is never trimmed.
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def check(self) -> None:
        """Trim after TRIM_CALM_CHECKS checks with low usage; called periodically."""
        used = self._buffers.used
        self._peak_bytes = max(self._peak_bytes, used)
        if self._peak_bytes < limits.TRIM_BYTES_MIN or used > self._peak_bytes // 2:
            self._low_checks = 0
            return
        # Not at the first check: usage may rise again soon.
        self._low_checks += 1
        if self._low_checks < limits.TRIM_CALM_CHECKS:
            return
        self._peak_bytes = 0
        if self._trim is not None:
            # In a thread: ctypes releases the GIL during the call.
            self._loop.run_in_executor(None, self._trim, 0)
