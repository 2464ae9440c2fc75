"""Threads that repeat one task until they are stopped."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Any


class BackgroundThreads(ABC):
    """One thread for each tuple of arguments; each of them runs ``_run``."""

    def __init__(self, *arguments: tuple[Any, ...]) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=each) for each in arguments]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after the current iteration."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @abstractmethod
    def _run(self, *arguments: Any) -> None:
        """Repeat the task until ``_stop`` is set."""
