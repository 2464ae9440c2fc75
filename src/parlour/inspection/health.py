"""The health of a node: the doctor's checks in a thread, at most once in some seconds."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from parlour.operations.node_reports import DiskSpace, Health, HealthCheck, MemoryUse
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from parlour.channels.carriers_file import CarrierSettings
    from parlour.config import Settings
    from parlour.inspection.checks import Finding
    from parlour.operations.node_reports import CarrierLink
    from parlour.vocabulary.clock import Clock

OK: Final = "ok"
WARNING: Final = "warning"
ERROR: Final = "error"
_STATM: Final = Path("/proc/self/statm")


class HealthChecks:
    """The checks of one node. Requests share a run, and its results for some seconds."""

    def __init__(
        self,
        settings: Settings,
        carriers: CarrierSettings,
        clock: Clock,
        links: Callable[[], dict[str, tuple[CarrierLink, ...]]],
    ) -> None:
        """``clock`` is the machine's: certificates and results have real dates."""
        self._settings = settings
        self._carriers = carriers
        self._clock = clock
        self._links = links
        self._run: asyncio.Task[Health] | None = None
        self._expires_ms = 0.0

    async def health(self) -> Health:
        """Return the results of the last run, or of a new one if they are too old."""
        is_old = self._clock.monotonic_ms() >= self._expires_ms
        if self._run is None or (self._run.done() and (is_old or self._run.exception())):
            self._run = asyncio.create_task(self._check())
        # Shielded: a client that disconnects must not cancel the run of the others.
        return await asyncio.shield(self._run)

    async def _check(self) -> Health:
        health = await asyncio.to_thread(self._check_now, self._links())
        self._expires_ms = self._clock.monotonic_ms() + limits.HEALTH_CACHED_MS
        return health

    def _check_now(self, links: dict[str, tuple[CarrierLink, ...]]) -> Health:
        # The checks import the library for certificates, which is slow.
        from parlour.inspection import findings  # noqa: PLC0415

        settings = self._settings
        groups = findings.find_all(settings)
        if settings.carriers:
            groups["carriers"] = findings.find_in_carriers_file(settings, self._carriers)
        checks = [check for name, found in groups.items() for check in _checks_of(name, found)]
        return Health(
            checked_ms=self._clock.now_ms(),
            checks=(*checks, *_checks_of_links(links)),
            disk=disk_space(settings.data),
            memory=memory_use(),
            certificate_expires_ms=_certificate_expires_ms(settings),
        )


def _checks_of(group: str, found: Iterable[Finding]) -> Iterator[HealthCheck]:
    """Yield the results of a group with unique names; one that is ok if nothing was found."""
    number = 0
    for number, each in enumerate(found, start=1):
        name = group if number == 1 else f"{group} {number}"
        yield HealthCheck(name, ERROR if each.is_unsafe else WARNING, each.what, each.do)
    if not number:
        yield HealthCheck(group, OK, "No problem was found.", "")


def _checks_of_links(links: dict[str, tuple[CarrierLink, ...]]) -> Iterator[HealthCheck]:
    for carrier, of_carrier in links.items():
        for link in of_carrier:
            text = f"The link {link.name} of the carrier {carrier} is "
            name = f"link {carrier} {link.name}"
            if link.is_up:
                yield HealthCheck(name, OK, f"{text}connected.", "")
            else:
                reason = f": {link.detail.rstrip('.')}" if link.detail else ""
                remedy = "Run `parlour doctor` for what the carrier answers."
                yield HealthCheck(name, ERROR, f"{text}not connected{reason}.", remedy)


def disk_space(data: Path) -> DiskSpace | None:
    """Return the disk of the data folder; None if it cannot be measured."""
    try:
        usage = shutil.disk_usage(data)
    except OSError:
        return None
    return DiskSpace(str(data.absolute()), usage.free, usage.total)


def memory_use() -> MemoryUse:
    """Return the resident memory of this process, and the memory of the machine."""
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        total = page * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return MemoryUse(None, None)
    try:
        resident = int(_STATM.read_text().split()[1]) * page
    except (OSError, ValueError, IndexError):
        return MemoryUse(None, total)
    return MemoryUse(resident, total)


def _certificate_expires_ms(settings: Settings) -> int | None:
    if not settings.tls_cert:
        return None
    from parlour.protocol.certificates import expires_ms  # noqa: PLC0415 - as above.

    try:
        return expires_ms(Path(settings.tls_cert).read_bytes())
    except (OSError, ValueError):
        return None  # A finding of the settings.
