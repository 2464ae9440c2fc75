"""The emulation of each account: what differs from a server outside of test mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.testmode.clock.token_dates import AUTO, SYSTEM, VIRTUAL

if TYPE_CHECKING:
    from collections.abc import Callable

IGNORE: Final = "ignore"
REFUSE: Final = "refuse"
UNKNOWN_PARAMETERS: Final = (IGNORE, REFUSE)

TOKEN_CLOCKS: Final = (AUTO, VIRTUAL, SYSTEM)
"""By which time access tokens are judged: by the rule of the clock, the virtual or the real one."""


class Emulation(msgspec.Struct, frozen=True, kw_only=True):
    """The emulation of one account, its webhook retries excepted: these are a row.

    ``actions_per_second`` is None where the server's setting applies, and 0 for no limit.
    """

    actions_per_second: int | None = None
    unknown_parameters: str = IGNORE
    token_clock: str = AUTO
    latency_ms: int = 0


class Emulations:
    """The emulations of all accounts, in memory."""

    def __init__(self, *, is_strict: bool) -> None:
        """``is_strict``: unknown parameters are refused unless an account decides otherwise."""
        self.default = Emulation(unknown_parameters=REFUSE if is_strict else IGNORE)
        self._of: dict[str, Emulation] = {}
        self.on_change: Callable[[], None] = lambda: None

    def of(self, account_sid: str) -> Emulation:
        """Return the emulation of an account."""
        return self._of.get(account_sid, self.default)

    def token_clock(self, account_sid: str) -> str:
        """Return by which time the access tokens of an account are judged."""
        return self.of(account_sid).token_clock

    @property
    def has_any(self) -> bool:
        """Whether any account differs from a server outside of test mode."""
        return bool(self._of) or self.default != Emulation()

    def change(self, account_sid: str, changes: dict[str, object]) -> Emulation:
        """Change the emulation of an account; return it."""
        after = msgspec.structs.replace(self.of(account_sid), **changes)
        if after == self.default:
            self._of.pop(account_sid, None)
        else:
            self._of[account_sid] = after
        self.on_change()
        return after

    def forget(self, account_sid: str | None) -> None:
        """Restore the default for an account; None: for all accounts."""
        if account_sid is None:
            self._of.clear()
        else:
            self._of.pop(account_sid, None)
        self.on_change()

    def save(self, account_sid: str | None) -> object:
        """Return the emulation of an account; None: of all accounts."""
        return {
            sid: each for sid, each in self._of.items() if account_sid is None or sid == account_sid
        }

    def restore(self, saved: object) -> None:
        """Add saved emulations. The emulations of their accounts were removed before."""
        assert isinstance(saved, dict)
        self._of |= saved
        self.on_change()
