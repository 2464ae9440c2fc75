"""Records commands of clients in the journal (operations/request_journal.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.operations.request_journal import SDK, RequestDetails
from parlour.realtime.commands import match_command
from parlour.realtime.outbox import ConnectionClosed
from parlour.realtime.session import TunnelReply
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.operations.minute_metrics import MinuteMetrics
    from parlour.operations.request_journal import RequestJournal
    from parlour.realtime.session import Session, TunnelRequest
    from parlour.vocabulary.clock import Clock

    RunCommand = Callable[[Session, TunnelRequest], Awaitable[TunnelReply]]

_FAULT: Final = "parlour-fault"
_NO_REPLY: Final = TunnelReply(status=0)


class CommandRecorder:
    """Runs commands, and records each with its reply, before the reply is sent."""

    def __init__(self, journal: RequestJournal, by_minute: MinuteMetrics, clock: Clock) -> None:
        self._journal = journal
        self._by_minute = by_minute
        self._clock = clock

    async def run(
        self, session: Session, request: TunnelRequest, command: RunCommand
    ) -> TunnelReply:
        """Return the reply of a command. Raises what it raises."""
        started_ms = self._clock.monotonic_ms()
        request.records_form = self._journal.has_details
        reply = _NO_REPLY
        try:
            reply = await command(session, request)
        except ApiError as error:
            reply = _error_reply(error)
            raise
        except ConnectionClosed as closed:
            if closed.fault is not None:
                reply = TunnelReply(status=0, headers={_FAULT: closed.fault})
            raise
        except (Busy, Unavailable):
            reply = _error_reply(ApiError(20503))
            raise
        finally:
            ended_ms = self._clock.monotonic_ms()
            self._record(session, request, reply, ended_ms - started_ms)
            seconds = (ended_ms - started_ms) / 1000
            self._by_minute.count(session.scope.account_sid, reply.status, seconds, ended_ms)
        return reply

    def _record(
        self, session: Session, request: TunnelRequest, reply: TunnelReply, elapsed_ms: float
    ) -> None:
        details = None
        if self._journal.has_details:
            details = RequestDetails(
                path=request.path,
                form=request.form,
                identity=session.identity,
                fires_webhooks=True,
                fault=reply.headers.get(_FAULT),
            )
        self._journal.record(
            account_sid=session.scope.account_sid,
            sid=request.sid,
            source=SDK,
            operation_id=request.operation_id or _operation_id(request),
            method=request.method,
            status=reply.status,
            answer=reply.body,
            elapsed_ms=elapsed_ms,
            details=details,
        )


def _error_reply(error: ApiError) -> TunnelReply:
    headers = {name.lower(): text for name, text in error.headers.items()}
    return TunnelReply(status=error.status, body=msgspec.json.encode(error.body()), headers=headers)


def _operation_id(request: TunnelRequest) -> str:
    """Return the operation of a command that was answered before it ran."""
    try:
        return match_command(request)[0].operation.operation_id
    except ApiError:
        return ""
