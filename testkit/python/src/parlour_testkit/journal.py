"""The calls that the server has received, and checks of them."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING, Any

from parlour_testkit.connection import FUNCTIONS, PAGE_SIZE
from parlour_testkit.errors import ExpectationFailed, WaitTimedOut
from parlour_testkit.values import pairs_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from parlour_testkit.connection import Connection
    from parlour_testkit.values import FormValue

_WAIT_S_MAX = 30
_POLL_S = 0.05
_SHOWN_MAX = 10


class JournalEntry:
    """One call: ``entry["operation"]`` is a member of the server's answer.

    Attributes:
        details: all members.
        form: the parameters, by name; a repeated one is a list.
    """

    def __init__(self, details: Mapping[str, Any]) -> None:
        self.details = details
        self.form: Mapping[str, Any] = details.get("form") or {}

    def __getitem__(self, name: str) -> Any:
        """Return a member. Raises KeyError."""
        return self.details[name]

    def __repr__(self) -> str:
        """Return the call in one line."""
        return f"<{shown(self)}>"


class RequestJournal:
    """The journal of an account: REST calls, and commands of client SDKs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, **filters: FormValue) -> list[JournalEntry]:
        """Return the calls, oldest first.

        ``filters``: ``operation``, ``status``, ``code``, ``source`` (``rest`` or ``sdk``),
        ``identity``, ``conversation_sid``, ``after``. The server retains the last 10,000 calls, or
        32 MiB. Raises ApiError.
        """
        found = self._connection.pages(f"{FUNCTIONS}/Requests", "requests", filters)
        return [JournalEntry(each) for each in reversed(found)]

    def wait_for(
        self,
        operation: str,
        *,
        timeout: float = 2,
        form: Mapping[str, FormValue] | None = None,
        **filters: FormValue,
    ) -> JournalEntry:
        """Return the first call, received already or within the timeout.

        Args:
            operation: such as ``CreateUser``.
            timeout: real seconds, up to 30.
            form: parameters that it must have.
            filters: as of `all`.

        Raises WaitTimedOut, whose text has the nearest call, and ApiError for an unknown operation.
        """
        __tracebackhide__ = True  # As in `expect`.
        wanted = _texts(form)
        filters = {"operation": operation, **filters}
        end = time.monotonic() + timeout
        left = timeout
        while True:
            found = self.all(**filters)
            for each in found:
                if not _differences(each, wanted):
                    return each
            if left <= 0 or not self._has_more(len(found), left, filters):
                break
            left = end - time.monotonic()
        text = f"No {operation} within {timeout:g} s."
        raise WaitTimedOut(text + self._nearest(operation, wanted))

    async def wait_for_async(
        self,
        operation: str,
        *,
        timeout: float = 2,  # noqa: ASYNC109 - the server's timeout.
        form: Mapping[str, FormValue] | None = None,
        **filters: FormValue,
    ) -> JournalEntry:
        """As `wait_for`, while the event loop of the test runs on."""
        return await asyncio.to_thread(
            self.wait_for, operation, timeout=timeout, form=form, **filters
        )

    def expect(
        self,
        operation: str,
        *,
        times: int = 1,
        form: Mapping[str, FormValue] | None = None,
        **filters: FormValue,
    ) -> list[JournalEntry]:
        """Check how often an operation was called; return the calls.

        Args:
            operation: such as ``CreateUser``.
            times: exactly how often.
            form: parameters that a call must have to be counted: ``{"Identity": "alice"}``.
            filters: as of `all`.

        Raises ExpectationFailed, whose text has the nearest call and what differs, and ApiError for
        an unknown operation.
        """
        __tracebackhide__ = True  # pytest shows the line of the test.
        wanted = _texts(form)
        found = self.all(operation=operation, **filters)
        matching = [each for each in found if not _differences(each, wanted)]
        if len(matching) == times:
            return matching
        given = f" with {form!r}" if form else ""
        text = f"Expected {times} × {operation}{given}, found {len(matching)}."
        if len(matching) < times:
            raise ExpectationFailed(text + self._nearest(operation, wanted))
        lines = [f"  - {shown(each)}" for each in matching[:_SHOWN_MAX]]
        raise ExpectationFailed("\n".join([text, *lines]))

    def _has_more(self, count: int, left_s: float, filters: Mapping[str, FormValue]) -> bool:
        """Wait until there are more than so many calls; return whether there are."""
        if count >= PAGE_SIZE:
            time.sleep(_POLL_S)  # The server waits for at most one page.
            return True
        seconds = max(1, min(math.ceil(left_s), _WAIT_S_MAX))
        page = self._connection.get(
            f"{FUNCTIONS}/Requests", **{**filters, "wait": seconds, "min_count": count + 1}
        )
        return bool(page["complete"])

    def _nearest(self, operation: str, wanted: Mapping[str, list[str]]) -> str:
        """Return the nearest call and what differs, as lines for the end of a message."""
        calls = self.all()
        of_operation = [each for each in calls if each["operation"] == operation]
        differing = [each for each in of_operation if _differences(each, wanted)]
        if differing:
            nearest = min(differing, key=lambda each: _distance(each, wanted))
            lines = [f"\nThe nearest call: {shown(nearest)}"]
            lines += [f"  - {each}" for each in _differences(nearest, wanted)]
            return "\n".join(lines)
        if of_operation:
            return f"\nThe last call: {shown(of_operation[-1])}"
        counts = Counter(str(each["operation"]) for each in calls)
        if not counts:
            return "\nThe server has received no call of this account."
        called = ", ".join(f"{number} × {name}" for name, number in counts.most_common())
        near = get_close_matches(operation, counts, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        return f"\nIt was not called.{hint} Called: {called}."


def shown(entry: JournalEntry) -> str:
    """Return a call in one line."""
    details = entry.details
    form = ", ".join(f"{name}={value!r}" for name, value in entry.form.items())
    code = f" ({details['code']})" if details.get("code") else ""
    fault = f", fault {details['fault']}" if details.get("fault") else ""
    call = f"{details.get('operation')} {details.get('method')} {details.get('path')}"
    return f"{call} {{{form}}} → {details.get('status')}{code}{fault}"


def _texts(form: Mapping[str, FormValue] | None) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for name, value in pairs_of(form or {}):
        texts.setdefault(name, []).append(value)
    return texts


def _values(entry: JournalEntry, name: str) -> list[str]:
    found = entry.form.get(name, [])
    return [str(each) for each in found] if isinstance(found, list) else [str(found)]


def _differences(entry: JournalEntry, wanted: Mapping[str, Sequence[str]]) -> list[str]:
    lines = []
    for name, values in wanted.items():
        found = _values(entry, name)
        if found != values:
            was = ", ".join(map(repr, found)) or "absent"
            lines.append(f"{name}: expected {', '.join(map(repr, values))}, was {was}")
    return lines


def _distance(entry: JournalEntry, wanted: Mapping[str, Sequence[str]]) -> float:
    """Return how far a call is from the expected one: 1 for each different parameter, or less."""
    return sum(
        1 - SequenceMatcher(None, "".join(values), "".join(_values(entry, name))).ratio()
        for name, values in wanted.items()
    )
