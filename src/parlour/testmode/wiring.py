"""Composition of test mode: the parts that test functions act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.testmode.browser_guard import BrowserGuard
from parlour.testmode.seeded_random import SeededRandom
from parlour.testmode.table import bound_operations

if TYPE_CHECKING:
    from parlour.config import Settings
    from parlour.operations.operation import Operation
    from parlour.vocabulary.clock import Clock, Random


class TestMode:
    """The test functions of one server.

    It is made before the server, which takes its clock and its randomness, and its hooks.
    """

    __test__ = False  # The class is not a collection of tests.

    def __init__(self, settings: Settings, clock: Clock, random: Random) -> None:
        self.settings = settings
        self.clock = clock
        self.random = SeededRandom(settings.random_seed, random) if settings.random_seed else random
        self.browser_guard = BrowserGuard(settings.allow_origin)

    def operations(self) -> tuple[Operation, ...]:
        """Return the test functions, bound to this object."""
        return bound_operations(self)
