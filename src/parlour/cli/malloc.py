"""Gives memory back to the system."""

from __future__ import annotations

import ctypes
from typing import Final

from parlour.vocabulary import limits

# From <malloc.h> of glibc.
_M_MMAP_THRESHOLD: Final = -3


def return_large_blocks() -> None:
    """Let the C library return large blocks when they are freed.

    By default glibc learns from the first large block that is freed to take such blocks from its
    heap, whose holes it keeps: after a peak of large answers a server would stay as large as that.
    Other C libraries have no such habit, and no such function.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, limits.RETURNED_BLOCK_BYTES)
