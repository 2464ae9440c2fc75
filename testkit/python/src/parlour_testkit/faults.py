"""Faults on demand: which calls, what happens to them, how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour_testkit.connection import FUNCTIONS
from parlour_testkit.errors import FaultsLeft

if TYPE_CHECKING:
    from parlour_testkit.connection import Connection
    from parlour_testkit.values import FormValue


class Fault:
    """One rule of faults."""

    def __init__(self, connection: Connection, made: dict[str, Any], description: str) -> None:
        self.sid: str = made["sid"]
        self.description = description
        self._connection = connection

    def __repr__(self) -> str:
        """Return the SID and the parameters."""
        return f"Fault({self.sid!r}, {self.description})"

    @property
    def fired(self) -> int:
        """How often it has acted until now."""
        return int(self.fetch()["fired"])

    @property
    def matched(self) -> int:
        """How many calls it has matched, including skipped ones."""
        return int(self.fetch()["matched"])

    @property
    def left(self) -> int | None:
        """How often it will act; None for a fault that acts until it is removed."""
        left = self.fetch()["left"]
        return None if left is None else int(left)

    def fetch(self) -> dict[str, Any]:
        """Return the fault as the server describes it. Raises ApiError."""
        found: dict[str, Any] = self._connection.get(f"{FUNCTIONS}/Faults/{self.sid}")
        return found

    def remove(self) -> None:
        """Remove it: it no longer acts. Raises ApiError."""
        self._connection.delete(f"{FUNCTIONS}/Faults/{self.sid}")


class Faults:
    """The faults of an account."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.added: list[Fault] = []

    def add(self, *, target: str = "request", times: int = 1, **parameters: FormValue) -> Fault:
        """Add a fault: ``add(operation="CreateConversationMessage", status=429, times=2)``.

        Args:
            target: ``request``, ``socket``, ``webhook`` or ``carrier``.
            times: how often it acts; 0: until it is removed.
            parameters: of the server's operation CreateFault in snake case: ``skip``,
                ``probability``, ``name``, ``scope``; for requests ``operation``, ``method``,
                ``path``, ``identity``, ``source``, ``status``, ``code``, ``retry_after`` (seconds),
                ``delay_ms``, ``drop``, ``truncate`` (bytes), ``phase="after"`` (the change is made,
                the response is lost); for webhooks ``url``, ``event_type``, ``kind``, ``timeout``,
                ``duplicate``.

        Raises ApiError for a parameter that the target does not have.
        """
        __tracebackhide__ = True
        made = self._connection.post(
            f"{FUNCTIONS}/Faults", target=target, times=times, **parameters
        )
        shown = {"target": target, "times": times, **parameters}
        description = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        fault = Fault(self._connection, made, description)
        self.added.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults of the account. Raises ApiError."""
        self._connection.delete(f"{FUNCTIONS}/Faults")
        self.added.clear()

    def assert_all_fired(self) -> None:
        """Raise FaultsLeft unless each added fault has acted as often as it was added for.

        A fault with ``times=0`` must have acted once.
        """
        __tracebackhide__ = True
        lines = []
        for each in self.added:
            found = each.fetch()
            if found["left"] or not found["fired"]:
                left = f"{found['left']} left" if found["left"] else "until removed"
                lines.append(
                    f"  - {each.description}: fired {found['fired']}, {left}, "
                    f"matched {found['matched']} calls"
                )
        if lines:
            raise FaultsLeft("\n".join(["Faults did not fire as often as expected:", *lines]))
