"""The wait of a list request: its slots, and its end when the client disconnects."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from parlour.http.messages import ClientDisconnectedError
from parlour.http.request_slots import release_slot
from parlour.operations.waiting_lists import ListWait, ListWaitAbandoned, WaitParameters
from parlour.protocol.pages import PagePosition
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from parlour.http.messages import Request
    from parlour.operations.admission import Admission
    from parlour.operations.call import Call, OperationResult
    from parlour.operations.waiting_lists import WaitingLists

    Read = Callable[[Call[Any]], Awaitable[OperationResult]]


def wants_to_wait(call: Call[Any]) -> bool:
    """Return whether the request names ``Wait``, and its list can wait."""
    return bool(call.operation.spec.wakes_on) and "Wait" in call.form


class ListWaiting:
    """Runs list requests that wait (operations/waiting_lists.py)."""

    def __init__(self, lists: WaitingLists, admission: Admission) -> None:
        self.lists = lists
        self._admission = admission

    async def run(self, request: Request, call: Call[Any], read: Read) -> OperationResult:
        """Read the list until it has enough rows or its time is over; set ``call.is_complete``.

        Raises ApiError, also 429 and 503 if too many lists wait; ClientDisconnectedError.
        """
        topics = call.operation.spec.wakes_on
        wait = await self.lists.enter(call.caller.account_sid, call.caller.member, topics)
        request.on_discard = wait.abandon
        try:
            return await self._run(request, call, read, wait)
        except ListWaitAbandoned:
            raise ClientDisconnectedError from None
        finally:
            request.on_discard = None
            self.lists.leave(wait)

    async def _run(
        self, request: Request, call: Call[Any], read: Read, wait: ListWait
    ) -> OperationResult:
        while True:  # Ends at the latest after the read at the end of the wait.
            is_last = wait.is_over
            outcome = await _read_to_a_row(call, read)
            parameters = call.parameters
            assert isinstance(parameters, WaitParameters)
            wanted = parameters.rows_wanted
            if wanted > call.page_request.size:
                raise ApiError.invalid("MinCount")
            count = min(len(outcome.result.records), call.page_request.size)
            call.is_complete = count >= wanted
            if call.is_complete or is_last:
                return outcome
            assert isinstance(parameters.wait, int)
            wait.start(parameters.wait)
            self.release_admission(request)
            with _work_suspended(request):
                await wait.wait(self.lists.interval_seconds)
            if request.session is not None:
                # It may have ended during the wait.
                await request.session.check()

    def release_admission(self, request: Request) -> None:
        """Release the request slot: with it, waiting requests would block the account's others."""
        release_slot(request, self._admission)


async def _read_to_a_row(call: Call[Any], read: Read) -> OperationResult:
    """Read a list; a feed from its next page on, as long as the pages have no rows."""
    while True:  # Ends at the end of the feed, and with a list that is none.
        outcome = await read(call)
        rows = outcome.result
        if rows.end is None or rows.records or not rows.end.has_more:
            return outcome
        position = PagePosition(rows.end.cursor, rows.end.sid)
        call.page = replace(call.page_request, position=position)


@contextmanager
def _work_suspended(request: Request) -> Iterator[None]:
    """Release the work slot during the wait."""
    if request.work is None:
        yield
        return
    request.work.suspend()
    try:
        yield
    finally:
        request.work.resume()
