"""Configuration of the C library's allocator."""

from __future__ import annotations

import ctypes
from typing import Final

from parlour.vocabulary import limits

# From <malloc.h> of glibc.
_M_MMAP_THRESHOLD: Final = -3


def return_large_blocks() -> None:
    """Make the C library return large blocks to the system when they are freed.

    By default glibc raises its mmap threshold with the first large block that is freed, and then
    allocates such blocks from its heap, which fragments: after a peak of large responses the
    process would not shrink. Other C libraries have neither this behavior nor this function.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, limits.RETURNED_BLOCK_BYTES)
