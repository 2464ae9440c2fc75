"""The faults of all accounts, in the order of their creation, and which of them acts on a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from parlour.testmode.faults.fault import SERVER, TARGETS, Fault, FaultRule
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.vocabulary.clock import Clock, Random

log = structlog.get_logger()

_FULL: Final = f"An account has {limits.FAULTS_PER_ACCOUNT_MAX} faults at most: delete some first."


class FaultRules:
    """All faults of the server."""

    # Invariant: ``_armed`` has the faults of ``_all`` that are not spent, each in the list of its
    # target, the oldest first. ``on_change`` is called when a target gets its first armed fault,
    # and when it has lost its last one.

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._created = 0
        self._all: dict[str, Fault] = {}
        self._armed: dict[str, list[Fault]] = {target: [] for target in TARGETS}
        self.on_change: Callable[[], None] = lambda: None

    # --- Operations -------------------------------------------------------------------------

    def create(self, account_sid: str, rule: FaultRule) -> Fault:
        """Arm a fault. Raises 409 if the account has too many."""
        if len(self.of_account(account_sid)) >= limits.FAULTS_PER_ACCOUNT_MAX:
            raise ApiError(20409, _FULL)
        self._created += 1
        fault = Fault(
            number=self._created,
            sid=self._random.sid(sids.FAULT),
            account_sid=account_sid,
            rule=rule,
            date_created=self._clock.now_ms(),
        )
        self._all[fault.sid] = fault
        self._arm(fault)
        return fault

    def of_account(self, account_sid: str) -> list[Fault]:
        """Return the faults that an account created, the oldest first."""
        return [each for each in self._all.values() if each.account_sid == account_sid]

    def find(self, account_sid: str, sid: str) -> Fault | None:
        """Return a fault of an account."""
        fault = self._all.get(sid)
        return fault if fault is not None and fault.account_sid == account_sid else None

    def remove(self, fault: Fault) -> None:
        """Remove a fault."""
        del self._all[fault.sid]
        self._disarm(fault)

    def finish(self, fault: Fault) -> None:
        """Mark a fault as spent, although it has turns left."""
        fault.is_over = True
        self._disarm(fault)

    def forget(self, account_sid: str | None) -> None:
        """Remove the faults of an account; None: of all accounts."""
        for fault in list(self._all.values()):
            if account_sid is None or fault.account_sid == account_sid:
                self.remove(fault)

    # --- Snapshots --------------------------------------------------------------------------

    def save(self, account_sid: str | None) -> object:
        """Return the faults of an account with their counters; None: of all accounts."""
        return [
            msgspec.structs.replace(each)
            for each in self._all.values()
            if account_sid is None or each.account_sid == account_sid
        ]

    def restore(self, saved: object) -> None:
        """Add saved faults. The faults of their accounts were removed before."""
        assert isinstance(saved, list)
        for each in saved:
            fault = msgspec.structs.replace(each)
            self._all[fault.sid] = fault
            if not fault.is_spent:
                self._arm(fault)
        # Faults of other accounts may be younger than the restored ones.
        for armed in self._armed.values():
            armed.sort(key=lambda fault: fault.number)

    # --- Calls ------------------------------------------------------------------------------

    def has_armed(self, target: str) -> bool:
        """Return whether a fault of this target may act."""
        return bool(self._armed[target])

    def take(
        self, target: str, account_sid: str | None, matches: Callable[[FaultRule], bool]
    ) -> Fault | None:
        """Return the fault that acts on a call, after counting it; None if none does.

        ``account_sid`` is None for a call whose account is not known yet: only faults of the scope
        *server* match it.
        """
        for fault in self._armed[target]:
            rule = fault.rule
            is_in_scope = rule.scope == SERVER or fault.account_sid == account_sid
            if is_in_scope and matches(rule) and self._acts(fault):
                return fault
        return None

    def _acts(self, fault: Fault) -> bool:
        """Count a call that a fault matches; return whether the fault acts on it."""
        rule = fault.rule
        fault.matched += 1
        if fault.matched <= rule.skip:
            return False
        if rule.probability < 1 and self._random.fraction() >= rule.probability:
            return False
        fault.fired += 1
        log.info("fault_fired", fault=fault.label, target=rule.target, fired=fault.fired)
        if fault.is_spent:
            self._disarm(fault)
        return True

    # --- Armed faults -----------------------------------------------------------------------

    def _arm(self, fault: Fault) -> None:
        armed = self._armed[fault.rule.target]
        armed.append(fault)
        if len(armed) == 1:
            self.on_change()

    def _disarm(self, fault: Fault) -> None:
        target: Any = fault.rule.target
        had_any = bool(self._armed[target])
        # A new list: the caller may iterate over the former one.
        self._armed[target] = [each for each in self._armed[target] if each is not fault]
        if had_any and not self._armed[target]:
            self.on_change()
