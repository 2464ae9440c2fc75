"""The seeder: loads seeds into accounts, and exports accounts as seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from parlour.testmode.seeds import exporter, loader
from parlour.testmode.seeds.dates import resolve_date
from parlour.vocabulary.origin import Origin

if TYPE_CHECKING:
    from parlour.store.transaction import Store
    from parlour.testmode.seeds.items import SeedItem
    from parlour.vocabulary.clock import Clock

    class Steering(Protocol):
        """What a seed changes of the server: its clock and its randomness."""

        def now_ms(self) -> int:
            """Return the time of the server's clock."""
            ...

        async def freeze_clock(self, at_ms: int) -> None:
            """Stop the clock at a date. Raises ApiError if it may not show that date."""
            ...

        def restart_random(self, seed: int) -> None:
            """Begin the sequences of random SIDs again."""
            ...

    class Emulating(Protocol):
        """What a seed changes of the emulation of its account."""

        def change(self, account_sid: str, changes: dict[str, Any]) -> None:
            """Change the emulation of an account."""
            ...

        def differences(self, account_sid: str) -> dict[str, Any]:
            """Return what differs from the emulation of other accounts."""
            ...


class LoadedSeed(msgspec.Struct, frozen=True):
    """The SIDs of what a seed has created, by label, and how long it took in real time."""

    sids: dict[str, str]
    elapsed_ms: int


class Seeder:
    """Loads and exports the accounts of one server."""

    def __init__(
        self, store: Store, real_clock: Clock, steering: Steering, emulation: Emulating
    ) -> None:
        self._store = store
        self._real_clock = real_clock
        self._steering = steering
        self._emulation = emulation

    async def load(self, account_sid: str, seed: SeedItem, *, may_steer: bool = True) -> LoadedSeed:
        """Load a checked seed (`check_document`), all of it or nothing.

        Without ``may_steer`` the clock and the randomness of the server stay as they are. Raises
        ApiError with the path of the value that is wrong.
        """
        started_ms = self._real_clock.monotonic_ms()
        emulation = loader.emulation_of(seed)
        if may_steer:
            await self._steer(account_sid, seed)
        sids = await self._store.write(
            lambda tx: loader.load_seed(tx, account_sid, seed),
            Origin(fires=seed.get("fires", False)),
            account_sid=account_sid,
        )
        if emulation:
            self._emulation.change(account_sid, emulation)
        return LoadedSeed(sids, round(self._real_clock.monotonic_ms() - started_ms))

    async def _steer(self, account_sid: str, seed: SeedItem) -> None:
        """Freeze the clock and restart the randomness, if the seed has such a key and is valid."""
        clock, random_seed = seed.get("clock"), seed.get("random_seed")
        if clock is None and random_seed is None:
            return
        # The clock of a server is not moved for a seed that turns out to be wrong.
        clock_ms = self._clock_of(seed)
        await self._try(account_sid, seed, clock_ms)
        if clock_ms is not None:
            await self._steering.freeze_clock(clock_ms)
        if random_seed is not None:
            self._steering.restart_random(random_seed)

    def _clock_of(self, seed: SeedItem) -> int | None:
        clock = seed.get("clock")
        return None if clock is None else resolve_date(clock, self._steering.now_ms())

    async def _try(self, account_sid: str, seed: SeedItem, clock_ms: int | None) -> dict[str, str]:
        done = await self._store.dry_run(
            lambda tx: loader.load_seed(tx, account_sid, seed, load_ms=clock_ms),
            account_sid=account_sid,
        )
        return done.result

    async def check(self, account_sid: str, seed: SeedItem) -> LoadedSeed:
        """Load a checked seed (`check_document`) and undo it; return what it would create.

        Raises ApiError as ``load`` does.
        """
        started_ms = self._real_clock.monotonic_ms()
        loader.emulation_of(seed)
        sids = await self._try(account_sid, seed, self._clock_of(seed))
        return LoadedSeed(sids, round(self._real_clock.monotonic_ms() - started_ms))

    async def export(self, account_sid: str, *, with_sids: bool = False) -> dict[str, Any]:
        """Return an account as a seed. Raises ApiError if it is too large for one."""
        document = await self._store.read(
            lambda tx: exporter.export_account(tx, account_sid, with_sids=with_sids),
            account_sid=account_sid,
        )
        emulation = self._emulation.differences(account_sid)
        if emulation:
            account = document.setdefault("account", {})
            account["emulation"] = account.get("emulation", {}) | emulation
        return document


def steers(seed: SeedItem) -> bool:
    """Return whether a seed changes the clock or the randomness, which all accounts share."""
    return seed.get("clock") is not None or seed.get("random_seed") is not None
