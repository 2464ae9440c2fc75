"""Records requests over HTTP in the journal (operations/request_journal.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.http.messages import ClientDisconnectedError, Response
from parlour.operations.operation import AuthScheme
from parlour.operations.request_journal import CONSOLE, REST, SDK, RequestDetails
from parlour.operations.waiting_lists import REQUEST_RECORDED
from parlour.protocol.forms import parse_form, parse_query
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from parlour.http.messages import Request
    from parlour.operations.caller import Caller
    from parlour.operations.request_journal import RequestJournal
    from parlour.protocol.forms import FormFields
    from parlour.vocabulary.clock import Clock

    NoteRequest = Callable[[Request, Response, float], None]
    Respond = Callable[[Request], Coroutine[Any, Any, Response]]

OWN_PATHS: Final = "/parlour/"
"""Paths of functions that the hosted API does not have."""
_READS: Final = frozenset({"GET", "HEAD"})
_FAULT: Final = b"parlour-fault"
_ERROR_STATUS_MIN: Final = 400


_NO_RESPONSE: Final = Response(0)
"""Of a request whose client disconnected, or was disconnected, before the response."""


def recorded(journal: RequestJournal, clock: Clock, respond: Respond) -> Respond:
    """Return a function that responds, and records each request before its response is sent."""

    async def respond_recorded(request: Request) -> Response:
        reply = _NO_RESPONSE
        try:
            reply = await respond(request)
        except ClientDisconnectedError as error:
            if error.fault is not None:
                reply = Response(0, headers=((_FAULT, error.fault.encode()),))
            raise
        finally:
            _record(journal, request, reply, clock.monotonic_ms() - request.started_ms)
        return reply

    return respond_recorded


def recording(
    journal: RequestJournal | None, clock: Clock, respond: Respond
) -> tuple[Respond, NoteRequest | None]:
    """Return what responds and records, and outside of test mode what stores for later."""
    if journal is None:
        return respond, None
    if journal.has_details:
        return recorded(journal, clock, respond), None
    return respond, noting(journal)


def noting(journal: RequestJournal) -> NoteRequest:
    """Return a function that stores a request with its response and its duration in seconds.

    It runs for each request of a server without test mode, so it computes nothing. A request
    without a response is not stored.
    """
    note, waits, publish = journal.pending.append, journal.waits, journal.publish

    def note_request(request: Request, reply: Response, seconds: float) -> None:
        caller = request.caller
        if caller is None or not _is_recorded(request):
            return
        status = reply.status
        note(
            (
                caller.account_sid,
                request.request_sid,
                request.started_ms,
                _source_of(request, caller),
                request.operation_id,
                request.method,
                status,
                b"" if status < _ERROR_STATUS_MIN else reply.body,
                seconds,
            )
        )
        if waits is None or waits:
            publish(caller.account_sid, REQUEST_RECORDED)

    return note_request


def _record(journal: RequestJournal, request: Request, reply: Response, elapsed_ms: float) -> None:
    """Record a request and its response, unless its caller is unknown or its path is our own."""
    caller = request.caller
    if caller is None or not _is_recorded(request):
        return
    journal.record(
        account_sid=caller.account_sid,
        sid=request.request_sid,
        source=_source_of(request, caller),
        operation_id=request.operation_id,
        method=request.method,
        status=reply.status,
        answer=reply.body,
        elapsed_ms=elapsed_ms,
        details=_details(request, reply, caller.identity) if journal.has_details else None,
    )


def _is_recorded(request: Request) -> bool:
    """Return whether a request is of the program under test, or changes what it sees.

    The console reads all the time, and would displace the requests that it shows.
    """
    if request.path.startswith(OWN_PATHS):
        return False
    return request.session is None or request.method not in _READS


def _source_of(request: Request, caller: Caller) -> str:
    if request.session is not None:
        return CONSOLE
    return REST if caller.identity is None else SDK


def _details(request: Request, reply: Response, identity: str | None) -> RequestDetails:
    path, endpoint = request.path, request.endpoint
    if endpoint is not None and endpoint.route.authentication is AuthScheme.SIGNED_URL:
        path = endpoint.route.path  # The template, without the signature.
    fires = request.header(b"x-twilio-webhook-enabled")
    fault = next((text.decode() for name, text in reply.headers if name == _FAULT), None)
    return RequestDetails(
        path=path,
        form=request.form or _unread_form(request),
        identity=identity,
        fires_webhooks=fires is not None and fires.strip().lower() == "true",
        idempotency_key=request.header(b"idempotency-key"),
        user_agent=request.header(b"user-agent"),
        fault=fault,
    )


def _unread_form(request: Request) -> FormFields:
    """Return the form of a request that was answered before its operation has read it."""
    kind = request.header(b"content-type") or ""
    is_form = request.method == "POST" and kind.startswith("application/x-www-form-urlencoded")
    try:
        return parse_form(request.body) if is_form else parse_query(request.query)
    except ApiError:
        return {}
