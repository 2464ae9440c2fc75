"""Faults of requests: of REST calls, media included, and of commands of client SDKs.

==========  ==================================  ===================================================
effect      Phase=before                        Phase=after
==========  ==================================  ===================================================
delay       then the operation                  the operation is committed, its response delayed
status,     the error, nothing else             the operation is committed, its response replaced
code
drop        the connection is reset at once     the operation is committed, then the connection
                                                is reset
truncate    of the error, if there is one       a part of the response, then the connection ends
==========  ==================================  ===================================================
"""

from __future__ import annotations

from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from parlour.http.edge import Edge
from parlour.http.messages import BodyStream, ClientDisconnectedError, Response, error_response
from parlour.realtime.commands import match_command
from parlour.realtime.outbox import ConnectionClosed
from parlour.realtime.session import TunnelReply
from parlour.testmode.emulation import strict
from parlour.testmode.emulation.emulations import REFUSE
from parlour.testmode.faults.error_responses import HEADER, error_of, has_error
from parlour.testmode.faults.fault import AFTER, BEFORE, REQUEST, REST, SDK, Fault, FaultRule
from parlour.testmode.faults.operation_names import OWN_PATHS, matches_any
from parlour.testmode.faults.sockets import drop
from parlour.vocabulary.errors import ApiError, clear_tracebacks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    from parlour.http.messages import Request
    from parlour.operations.caller import Caller
    from parlour.operations.operation import Operation
    from parlour.operations.work_limit import WorkSlot
    from parlour.realtime.connection import ClientConnection
    from parlour.realtime.session import Session, TunnelRequest
    from parlour.testmode.emulation.emulations import Emulations
    from parlour.testmode.faults.delays import Delays
    from parlour.testmode.faults.rules import FaultRules

    RunRequest = Callable[[], Awaitable[Response]]
    RunCommand = Callable[[Session, TunnelRequest], Awaitable[TunnelReply]]


class RequestFaults:
    """Runs requests, with the faults and the emulation that are armed for them."""

    def __init__(
        self,
        rules: FaultRules,
        emulations: Emulations,
        delays: Delays,
        release_admission: Callable[[Request], None],
    ) -> None:
        """``release_admission``: called before a delay, so that it blocks no other requests."""
        self._release_admission = release_admission
        self._rules = rules
        self._emulations = emulations
        self._delays = delays

    # --- REST -------------------------------------------------------------------------------

    async def run_request(
        self, request: Request, operation: Operation, caller: Caller, run: RunRequest
    ) -> Response:
        """Run a request whose caller is known; return its response. Raises ApiError."""
        # For the log, the metrics and the journal of a request whose operation does not run.
        request.operation_id = operation.operation_id
        if self._emulations.of(caller.account_sid).unknown_parameters == REFUSE:
            await strict.check_request(request, operation)
        if operation.path.startswith(OWN_PATHS):
            return await run()
        fault = self._rules.take(
            REQUEST,
            caller.account_sid,
            lambda rule: _matches_request(rule, request, operation, caller),
        )
        if fault is None:
            return await self._run_slowly(request, caller, run)
        if fault.rule.phase == BEFORE:
            return await self._run_before(fault, request, caller, run)
        return await self._run_after(fault, request, caller, run)

    async def _run_before(
        self, fault: Fault, request: Request, caller: Caller, run: RunRequest
    ) -> Response:
        await self._delay(fault, request, caller)
        if fault.rule.drop:
            _drop(request, fault)
        if has_error(fault):
            error = error_of(fault, Edge.resource_of(request.path))
            return _truncated(error_response(error), fault, request)
        return _marked(await self._run_slowly(request, caller, run), fault)

    async def _run_after(
        self, fault: Fault, request: Request, caller: Caller, run: RunRequest
    ) -> Response:
        reply = await self._run_slowly(request, caller, run)
        await self._delay(fault, request, caller)
        if (fault.rule.drop or has_error(fault)) and reply.stream is not None:
            await reply.stream.close()
        if fault.rule.drop:
            _drop(request, fault)
        if has_error(fault):
            reply = error_response(error_of(fault, Edge.resource_of(request.path)))
        return _truncated(_marked(reply, fault), fault, request)

    async def _run_slowly(self, request: Request, caller: Caller, run: RunRequest) -> Response:
        """Return the response, an error included, after the emulated latency."""
        try:
            reply = await run()
        except ApiError as error:
            clear_tracebacks(error)
            reply = error_response(error)
        latency_ms = self._emulations.of(caller.account_sid).latency_ms
        if latency_ms:
            self._release_admission(request)
            with _suspended(request.work):
                await self._delays.wait(caller.account_sid, latency_ms)
        return reply

    async def _delay(self, fault: Fault, request: Request, caller: Caller) -> None:
        """Delay a request. Raises 503 if a reset ended the delay."""
        self._release_admission(request)
        with _suspended(request.work):
            await self._wait(fault, caller, f"{request.method} {request.path}")

    async def _wait(self, fault: Fault, caller: Caller, called: str) -> None:
        # After its operation, nothing but the response follows.
        what = f"delayed {called}" if fault.rule.phase == BEFORE else ""
        if not await self._delays.wait(caller.account_sid, fault.rule.delay_ms, what):
            raise ApiError(20503, headers={HEADER: fault.label})

    # --- Commands of client SDKs ------------------------------------------------------------

    async def run_command(
        self, connection: ClientConnection, request: TunnelRequest, run: RunCommand
    ) -> TunnelReply:
        """Run a command; return its reply. Raises ApiError, ConnectionClosed."""
        session = connection.session
        operation = match_command(request)[0].operation
        caller = session.caller
        fault = self._rules.take(
            REQUEST,
            caller.account_sid,
            lambda rule: _matches_command(rule, operation, caller),
        )
        if fault is None:
            return await self._run_command_slowly(session, request, run)
        if fault.rule.phase == AFTER:
            reply = await self._run_command_slowly(session, request, run)
        await self._wait(fault, caller, operation.operation_id)
        if fault.rule.drop:
            drop(connection)
            raise ConnectionClosed(fault.label)
        if has_error(fault):
            return _error_reply(error_of(fault, request.path))
        if fault.rule.phase == BEFORE:
            reply = await self._run_command_slowly(session, request, run)
        return _marked_reply(reply, fault)

    async def _run_command_slowly(
        self, session: Session, request: TunnelRequest, run: RunCommand
    ) -> TunnelReply:
        try:
            reply = await run(session, request)
        except ApiError as error:
            clear_tracebacks(error)
            reply = _error_reply(error)
        account_sid = session.caller.account_sid
        await self._delays.wait(account_sid, self._emulations.of(account_sid).latency_ms)
        return reply


# --- Criteria -----------------------------------------------------------------------------


def _matches_caller(rule: FaultRule, operation: Operation, caller: Caller) -> bool:
    """Whether a rule matches what REST calls and commands have in common."""
    source = REST if caller.identity is None else SDK
    return (
        (rule.source is None or rule.source == source)
        and (rule.identity is None or rule.identity == caller.identity)
        and (rule.operations is None or matches_any(operation, rule.operations))
    )


def _matches_request(
    rule: FaultRule, request: Request, operation: Operation, caller: Caller
) -> bool:
    return (
        (rule.method is None or rule.method == request.method)
        and (rule.path is None or request.path.startswith(rule.path))
        # The response to HEAD has no body to cut.
        and (rule.truncate is None or request.method != "HEAD")
        and _matches_caller(rule, operation, caller)
    )


def _matches_command(rule: FaultRule, operation: Operation, caller: Caller) -> bool:
    return (
        (rule.method is None or rule.method == operation.method)
        and rule.path is None
        and rule.truncate is None
        and _matches_caller(rule, operation, caller)
    )


# --- Effects ------------------------------------------------------------------------------


def _drop(request: Request, fault: Fault) -> None:
    """Reset the connection. Raises ClientDisconnectedError."""
    request.exchange.reset()
    raise ClientDisconnectedError(fault.label)


def _marked(reply: Response, fault: Fault) -> Response:
    """Return a response with the header of its fault."""
    mark = (HEADER.lower().encode(), fault.label.encode())
    if mark in reply.headers:
        return reply
    return msgspec.structs.replace(reply, headers=(*reply.headers, mark))


def _truncated(reply: Response, fault: Fault, request: Request) -> Response:
    """Return the first bytes of a response, after which its connection ends."""
    size, length = fault.rule.truncate, reply.content_length
    if size is None or length is None or size >= length or request.method == "HEAD":
        return reply
    stream = reply.stream or BodyStream(len(reply.body), _pieces(reply.body), _nothing)
    cut = BodyStream(stream.length, _first_bytes(stream, size), stream.close)
    return msgspec.structs.replace(reply, body=b"", stream=cut, closes=True)


async def _pieces(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


async def _nothing() -> None:
    """Close nothing: the body is in memory."""


async def _first_bytes(stream: BodyStream, size: int) -> AsyncGenerator[bytes, None]:
    async with aclosing(stream.pieces) as pieces:
        async for piece in pieces:
            yield piece[:size]
            size -= len(piece)
            if size <= 0:
                return


def _error_reply(error: ApiError) -> TunnelReply:
    headers = {name.lower(): text for name, text in error.headers.items()}
    return TunnelReply(status=error.status, body=msgspec.json.encode(error.body()), headers=headers)


def _marked_reply(reply: TunnelReply, fault: Fault) -> TunnelReply:
    return replace(reply, headers=reply.headers | {HEADER.lower(): fault.label})


@contextmanager
def _suspended(work: WorkSlot | None) -> Iterator[None]:
    """Release the work slot of a request while it waits: slots measure the server's speed."""
    if work is None:
        yield
        return
    work.suspend()
    try:
        yield
    finally:
        work.resume()
