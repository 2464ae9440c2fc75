"""What a process reports about itself to operators: settings, queues in memory, and health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from parlour.operations.minute_metrics import OneMinute
    from parlour.store.transaction import Store, Transaction


class ShownSetting(msgspec.Struct, frozen=True):
    """A setting: its value, None for a secret and for an empty one, and where it came from."""

    name: str
    option: str
    variable: str
    description: str
    value: str | None
    is_secret: bool
    is_set: bool
    source: str


class CarrierLink(msgspec.Struct, frozen=True):
    """A connection of a carrier."""

    name: str
    is_up: bool
    detail: str


class JobDate(msgspec.Struct, frozen=True):
    """A job of the scheduler, and when it is due; None: nothing is pending."""

    name: str
    due_ms: int | None
    is_upkeep: bool


class DiskSpace(msgspec.Struct, frozen=True):
    """The disk of the data folder."""

    path: str
    free_bytes: int
    total_bytes: int


class MemoryUse(msgspec.Struct, frozen=True):
    """The resident memory of the process, and the memory of the machine; None: unknown."""

    bytes: int | None
    total_bytes: int | None


class HealthCheck(msgspec.Struct, frozen=True):
    """The result of a check: ``state`` is ok, warning or error; ``do`` is the remedy."""

    name: str
    state: str
    text: str
    do: str


class Health(msgspec.Struct, frozen=True):
    """The results of the checks, as of a date, with the measurements of the same run."""

    checked_ms: int
    checks: tuple[HealthCheck, ...]
    disk: DiskSpace | None
    memory: MemoryUse
    certificate_expires_ms: int | None


class NodeInspector(Protocol):
    """The inspection of this process (inspection/node.py)."""

    @property
    def store(self) -> Store:
        """The store, for reads of all accounts."""
        ...

    @property
    def real_now_ms(self) -> int:
        """The time of the machine, also in test mode."""
        ...

    @property
    def requests_running(self) -> int:
        """The number of requests that are running."""
        ...

    @property
    def last_sweep_ms(self) -> int | None:
        """When this process last looked for files without a row."""
        ...

    def minutes(self) -> list[OneMinute]:
        """Return the metrics of the last minutes, oldest first."""
        ...

    def sink_positions(self) -> dict[str, int | None]:
        """Return the position of each sink; None: it runs on another node."""
        ...

    def carrier_links(self) -> dict[str, tuple[CarrierLink, ...]]:
        """Return the links of each carrier; none on a node that does not run the carriers."""
        ...

    async def job_dates(self, tx: Transaction) -> list[JobDate]:
        """Return the jobs of the scheduler."""
        ...

    def settings(self) -> list[ShownSetting]:
        """Return all settings."""
        ...

    async def disk(self) -> DiskSpace | None:
        """Return the disk of the data folder; None if it cannot be measured."""
        ...

    async def health(self) -> Health:
        """Return the results of the checks, which are at most some seconds old."""
        ...
