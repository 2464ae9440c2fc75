"""The journal of requests: the last calls of the API and commands of clients in this process.

A ring in memory. In test mode it has up to JOURNAL_TEST_REQUESTS_MAX requests or
JOURNAL_TEST_BYTES_MAX, with forms and responses, redacted (journal_redaction.py). Otherwise it has
the last JOURNAL_REQUESTS_MAX with operation, status, code and duration, and nothing that a user
wrote: no path, form, response or identity.

A request is recorded before its response is sent, so that a client that has the response finds it.
Requests for paths below ``/parlour/`` are not recorded, as they are not of the program under test.
"""

from __future__ import annotations

import re
from collections import deque
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from parlour.operations.journal_redaction import (
    redact_answer,
    redact_form,
    redact_header,
    redact_text,
)
from parlour.operations.parameters import secret_names
from parlour.operations.waiting_lists import REQUEST_RECORDED
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from parlour.operations.operation import Operation
    from parlour.protocol.forms import FormFields
    from parlour.protocol.pages import PageRequest
    from parlour.vocabulary.clock import Clock

REST: Final = "rest"
SDK: Final = "sdk"
CONSOLE: Final = "console"
"""A change through the console; its reads are not recorded."""
SOURCES: Final = (REST, SDK, CONSOLE)
_CONVERSATION_IN_PATH: Final = re.compile(r"/(CH[0-9a-fA-F]{32})(?=/|\Z)")
_CONVERSATION_IN_ANSWER: Final = re.compile(rb'"(?:conversation_)?sid":"(CH[0-9a-f]{32})"')


class _Error(msgspec.Struct):
    """The code in the response of an error."""

    code: int | None = None


_decode_error: Final = msgspec.json.Decoder(_Error).decode


class RequestDetails(msgspec.Struct, frozen=True):
    """The parts of a request that are recorded in test mode only."""

    path: str
    form: FormFields = {}
    answer: bytes = b""
    answer_bytes: int = 0
    identity: str | None = None
    conversation_sid: str = ""
    fires_webhooks: bool = False
    idempotency_key: str | None = None
    user_agent: str | None = None
    fault: str | None = None

    @property
    def memory_bytes(self) -> int:
        """The approximate memory."""
        form = sum(len(name) + sum(map(len, texts)) for name, texts in self.form.items())
        headers = len(self.idempotency_key or "") + len(self.user_agent or "")
        return len(self.path) + len(self.answer) + 2 * form + headers


class RecordedRequest(msgspec.Struct, frozen=True):
    """One request. ``sequence`` counts the requests of its account."""

    sequence: int
    sid: str
    account_sid: str
    date_ms: int
    source: str
    operation: str
    method: str
    status: int
    code: int | None
    elapsed_ms: float
    details: RequestDetails | None


class RequestFilters(msgspec.Struct, frozen=True):
    """Filters of requests, combined by AND; None matches any."""

    operation: str | None = None
    status: int | None = None
    code: int | None = None
    source: str | None = None
    identity: str | None = None
    conversation_sid: str | None = None
    since: int | None = None
    until: int | None = None

    def match(self, request: RecordedRequest) -> bool:
        """Return whether a request matches."""
        details = request.details
        if details is None and not self.identity == self.conversation_sid is None:
            return False
        return (
            self.operation in {None, request.operation}
            and self.status in {None, request.status}
            and self.code in {None, request.code}
            and self.source in {None, request.source}
            and (self.since is None or self.since <= request.date_ms)
            and (self.until is None or request.date_ms < self.until)
            and (details is None or self.identity in {None, details.identity})
            and (details is None or self.conversation_sid in {None, details.conversation_sid})
        )


PendingRequest: TypeAlias = tuple[str, str, float, str, str, str, int, bytes, float]
"""A request outside of test mode, in the order of the arguments of `RequestJournal._add`.

Instead of its date it has its start on the monotonic clock, and at last its seconds; its response
is empty unless it is an error.
"""


class _AccountRing:
    """The recorded requests of one account, oldest first."""

    __slots__ = ("count", "requests")

    def __init__(self) -> None:
        self.count = 0
        self.requests: deque[RecordedRequest] = deque()  # tidy: bounded - by the journal's ring


# Invariant: ``_order`` has the account of each recorded request, oldest first, so its first one is
# the account whose own oldest request is the oldest of all.
class RequestJournal:
    """Records and lists the requests of this process."""

    def __init__(
        self,
        operations: Iterable[Operation],
        names: Mapping[str, str],
        clock: Clock,
        publish: Callable[[str, str], None],
        *,
        has_details: bool,
        waits: Mapping[str, object] | None = None,
    ) -> None:
        """``names``: of operations by their ids; others are named by the id.

        ``publish`` is called with account and topic; ``has_details``: test mode. While ``waits``
        is empty, no list waits.
        """
        self._names = names
        self._secrets = {
            each.operation_id: secrets
            for each in operations
            if (secrets := secret_names(each.spec.parameters))
        }
        self._clock = clock
        self.publish = publish
        self.waits = waits
        self.has_details = has_details
        self._most = (
            limits.JOURNAL_TEST_REQUESTS_MAX if has_details else limits.JOURNAL_REQUESTS_MAX
        )
        self._order: deque[str] = deque()  # tidy: bounded - `_trim`
        self._accounts: dict[str, _AccountRing] = {}
        self._bytes = 0
        self.pending: deque[PendingRequest] = deque(maxlen=limits.JOURNAL_REQUESTS_MAX)
        """Requests without details: recorded when the journal is read, since most are not."""

    def __len__(self) -> int:
        self._record_pending()
        return len(self._order)

    def common_name(self, operation: str) -> str:
        """Return the name by which the journal lists an operation, of the name of any form.

        Raises 20001 for a name of no operation, with the nearest one: a list of its requests would
        always be empty.
        """
        found = self._names.get(operation)
        if found is not None:
            return found
        near = get_close_matches(operation, self._names, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise ApiError(20001, f"There is no operation {operation}{hint}")

    def _record_pending(self) -> None:
        """Record the pending requests, in order."""
        if not self.pending:
            return
        ahead_ms = self._clock.now_ms() - self._clock.monotonic_ms()
        while self.pending:
            account_sid, sid, started_ms, source, operation_id, method, status, answer, seconds = (
                self.pending.popleft()
            )
            elapsed_ms = 1000 * seconds
            self._add(
                account_sid=account_sid,
                sid=sid,
                date_ms=round(ahead_ms + started_ms + elapsed_ms),
                source=source,
                operation_id=operation_id,
                method=method,
                status=status,
                answer=answer,
                elapsed_ms=elapsed_ms,
            )

    def record(
        self,
        *,
        account_sid: str,
        sid: str,
        source: str,
        operation_id: str,
        method: str,
        status: int,
        answer: bytes,
        elapsed_ms: float,
        details: RequestDetails | None = None,
    ) -> None:
        """Record a request, and wake the lists that wait for it.

        ``details`` have the whole form and no response; they are completed and redacted here.
        """
        self._record_pending()
        self._add(
            account_sid=account_sid,
            sid=sid,
            date_ms=self._clock.now_ms(),
            source=source,
            operation_id=operation_id,
            method=method,
            status=status,
            answer=answer,
            elapsed_ms=elapsed_ms,
            details=details,
        )
        self.publish(account_sid, REQUEST_RECORDED)

    def _add(
        self,
        *,
        account_sid: str,
        sid: str,
        date_ms: int,
        source: str,
        operation_id: str,
        method: str,
        status: int,
        answer: bytes,
        elapsed_ms: float,
        details: RequestDetails | None = None,
    ) -> None:
        ring = self._accounts.get(account_sid)
        if ring is None:
            ring = self._accounts[account_sid] = _AccountRing()
        ring.count += 1
        if details is not None:
            details = self._completed(details, operation_id, answer)
            self._bytes += details.memory_bytes + limits.JOURNAL_REQUEST_BYTES
        ring.requests.append(
            RecordedRequest(
                ring.count,
                sid,
                account_sid,
                date_ms,
                source,
                self._names.get(operation_id, operation_id),
                method,
                status,
                _code_of(answer) if status >= 400 else None,
                elapsed_ms,
                details,
            )
        )
        self._order.append(account_sid)
        self._trim()

    def _completed(
        self, details: RequestDetails, operation_id: str, answer: bytes
    ) -> RequestDetails:
        found = _CONVERSATION_IN_PATH.search(details.path)
        if found is None and (in_answer := _CONVERSATION_IN_ANSWER.search(answer)) is not None:
            conversation_sid = in_answer[1].decode()
        else:
            conversation_sid = "" if found is None else found[1]
        return msgspec.structs.replace(
            details,
            path=redact_text(details.path),
            form=redact_form(details.form, self._secrets.get(operation_id, ())),
            answer=redact_answer(answer),
            answer_bytes=len(answer),
            idempotency_key=redact_header(details.idempotency_key),
            user_agent=redact_header(details.user_agent),
            conversation_sid=conversation_sid,
        )

    def _trim(self) -> None:
        """Remove the oldest requests beyond the limits."""
        while len(self._order) > self._most or self._bytes > limits.JOURNAL_TEST_BYTES_MAX:
            account_sid = self._order.popleft()
            ring = self._accounts[account_sid]
            self._release(ring.requests.popleft())
            if not ring.requests:
                del self._accounts[account_sid]

    def _release(self, request: RecordedRequest) -> None:
        if request.details is not None:
            self._bytes -= request.details.memory_bytes + limits.JOURNAL_REQUEST_BYTES

    def find(self, account_sid: str, sid: str) -> RecordedRequest | None:
        """Return the account's request with this SID."""
        return next((each for each in self._newest_first(account_sid) if each.sid == sid), None)

    def list(
        self, account_sid: str, filters: RequestFilters, after_sid: str | None, page: PageRequest
    ) -> list[RecordedRequest]:
        """Return a page of requests, newest first: up to size + 1, as of a store.

        With ``after_sid`` only requests after that one, if it is still recorded.
        """
        found: list[RecordedRequest] = []
        position = page.position
        for each in self._newest_first(account_sid):
            if each.sid == after_sid:
                break
            if position is not None:
                assert isinstance(position.key, int)
                if position.backwards and each.sequence <= position.key:
                    break
                if not position.backwards and each.sequence >= position.key:
                    continue
            if filters.match(each):
                found.append(each)
                if not page.backwards and len(found) > page.size:
                    break
        # Rows before a position are in reading order, that is reversed (store/windows.py).
        return found[::-1][: page.size + 1] if page.backwards else found

    def _newest_first(self, account_sid: str) -> Iterator[RecordedRequest]:
        self._record_pending()
        ring = self._accounts.get(account_sid)
        return iter(()) if ring is None else reversed(ring.requests)

    def forget(self, account_sid: str | None) -> None:
        """Remove the requests of an account; None: of all."""
        self._record_pending()
        if account_sid is None:
            self._order.clear()
            self._accounts.clear()
            self._bytes = 0
            return
        ring = self._accounts.pop(account_sid, None)
        if ring is None:
            return
        for each in ring.requests:
            self._release(each)
        left = [each for each in self._order if each != account_sid]
        self._order.clear()
        self._order.extend(left)


def _code_of(answer: bytes) -> int | None:
    try:
        return _decode_error(answer).code
    except (ValueError, RecursionError):
        return None
