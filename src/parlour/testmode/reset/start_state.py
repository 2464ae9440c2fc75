"""The state of a server after its start: one account, the time of the machine, the same SIDs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from parlour.resources import account_setup
from parlour.testmode.reset import erasure
from parlour.vocabulary import sids

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.config import Settings
    from parlour.protocol.vault import Vault
    from parlour.store.sqlite.exclusive import ExclusiveAccess
    from parlour.store.transaction import Transaction
    from parlour.testmode.reset.table_classes import TableClasses
    from parlour.testmode.seeded_random import SeededRandom

_STAYING_MAX: Final = 64
"""How far into its sequence the SID of a default service is looked for."""


class StartState:
    """Puts the server into the state after its start."""

    def __init__(
        self,
        settings: Settings,
        vault: Vault,
        random: SeededRandom,
        to_real_time: Callable[[], None],
    ) -> None:
        """``to_real_time`` resets the clock of a server without data."""
        self._settings = settings
        self._vault = vault
        self._random = random
        self._to_real_time = to_real_time

    def reseed(self, random_seed: int, service_sid: str) -> None:
        """Begin the sequences of SIDs again, without the SID of a service that stays."""
        self._random.restart(random_seed)
        for _ in range(_STAYING_MAX):
            if self._random.sid(sids.SERVICE) == service_sid:
                return
        self._random.restart(random_seed)

    def restore(
        self, access: ExclusiveAccess, tables: TableClasses, random_seed: int | None
    ) -> None:
        """Delete all rows, and create the account of the settings again.

        Its default service keeps its SID, which clients know.
        """
        sid = self._settings.account_sid
        staying = None
        if access.run("SELECT 1 FROM main.configuration WHERE account_sid = ?", sid):
            staying = access.act(partial(erasure.read_staying_rows, account_sid=sid))
        erasure.delete_all_rows(access, tables)
        self._to_real_time()
        self._random.restart(
            self._settings.random_seed or None if random_seed is None else random_seed
        )
        if not sid:
            return
        access.act(self._ensure_account)
        if staying is not None:
            erasure.delete_rows(access, tables, sid, except_for=erasure.CREDENTIALS)
            access.act(partial(erasure.insert_staying_rows, account_sid=sid, rows=staying))

    async def _ensure_account(self, tx: Transaction) -> None:
        await account_setup.ensure_configured(tx, self._vault, self._settings)
