"""The inspection of this process for operators: what its parts report."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from parlour.inspection.health import HealthChecks, disk_space
from parlour.inspection.shown_settings import shown_settings
from parlour.operations.node_reports import CarrierLink, JobDate
from parlour.resources.media.garbage_collection import SWEEP
from parlour.vocabulary.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.channels.carriers_file import CarrierSettings
    from parlour.channels.wiring import Channels
    from parlour.config import Settings
    from parlour.dispatch.dispatcher import Dispatcher
    from parlour.operations.admission import Admission
    from parlour.operations.minute_metrics import MinuteMetrics, OneMinute
    from parlour.operations.node_reports import DiskSpace, Health, ShownSetting
    from parlour.operations.scheduler import Scheduler
    from parlour.store.transaction import Store, Transaction


class InspectedParts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a server that are inspected."""

    settings: Settings
    carriers: CarrierSettings
    store: Store
    admission: Admission
    by_minute: MinuteMetrics
    dispatcher: Dispatcher
    channels: Channels
    scheduler: Scheduler


class NodeInspection:
    """The inspection of one process."""

    def __init__(self, parts: InspectedParts, sources: Mapping[str, str]) -> None:
        """``sources``: where settings came from, ``environment`` or ``option``."""
        self._parts = parts
        self._sources = sources
        self._clock = SystemClock()
        self._checks = HealthChecks(parts.settings, parts.carriers, self._clock, self.carrier_links)

    @property
    def store(self) -> Store:
        """The store, for reads of all accounts."""
        return self._parts.store

    @property
    def real_now_ms(self) -> int:
        """The time of the machine, also in test mode."""
        return self._clock.now_ms()

    @property
    def requests_running(self) -> int:
        """The number of requests that are running."""
        return self._parts.admission.running

    @property
    def last_sweep_ms(self) -> int | None:
        """When this process last looked for files without a row."""
        return self._parts.scheduler.last_run_ms(SWEEP)

    def minutes(self) -> list[OneMinute]:
        """Return the metrics of the last minutes, oldest first."""
        return list(self._parts.by_minute.minutes())

    def sink_positions(self) -> dict[str, int | None]:
        """Return the position of each sink; None: it runs on another node."""
        return self._parts.dispatcher.local_positions()

    def carrier_links(self) -> dict[str, tuple[CarrierLink, ...]]:
        """Return the links of each carrier; none on a node that does not run the carriers."""
        channels = self._parts.channels
        return {
            name: tuple(CarrierLink(each.name, each.is_up, each.detail) for each in carrier.links())
            if channels.runs_carriers
            else ()
            for name, carrier in channels.carriers.items()
        }

    async def job_dates(self, tx: Transaction) -> list[JobDate]:
        """Return the jobs of the scheduler."""
        jobs = self._parts.scheduler.jobs
        return [JobDate(each.name, await each.next_due_ms(tx), each.is_upkeep) for each in jobs]

    def settings(self) -> list[ShownSetting]:
        """Return all settings."""
        return shown_settings(self._parts.settings, self._sources)

    async def disk(self) -> DiskSpace | None:
        """Return the disk of the data folder; None if it cannot be measured."""
        return await asyncio.to_thread(disk_space, self._parts.settings.data)

    async def health(self) -> Health:
        """Return the results of the checks, which are at most some seconds old."""
        return await self._checks.health()
