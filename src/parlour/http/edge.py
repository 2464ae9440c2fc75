"""Translation of requests to calls of the pipeline, and of results to responses."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from parlour.http.event_streams import accepts_events
from parlour.http.list_waiting import wants_to_wait
from parlour.http.messages import JSON, NO_CONTENT, Response, encode
from parlour.http.multipart import parse_multipart
from parlour.operations.call import Call, OperationResult, Rows, View
from parlour.operations.operation import BodyKind, UrlForm
from parlour.protocol import pages
from parlour.protocol.forms import parse_form, parse_json_fields, parse_query
from parlour.protocol.pages import Page
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import SILENT, Origin
from parlour.vocabulary.sids import normal

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from parlour.http.event_streams import EventStreams
    from parlour.http.list_waiting import ListWaiting
    from parlour.http.messages import Request
    from parlour.http.root_urls import RootUrls
    from parlour.operations.call import FeedEnd
    from parlour.operations.caller import Caller
    from parlour.operations.operation import Operation
    from parlour.operations.pipeline import Pipeline
    from parlour.protocol.forms import FormFields as RequestForm
    from parlour.protocol.pages import PageTokens, RowPosition

_VERSION = re.compile(r"/(v1|2010-04-01|parlour/v1)(?=/|\Z)")
_CURSOR = b"parlour-event-cursor"
_JSON = "application/json"
DOCUMENT_TYPES = frozenset(
    {_JSON, "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"}
)
_URL_ENCODED = "application/x-www-form-urlencoded"
PAGING = frozenset({"PageSize", "Page", "PageToken"})
_PAGING_AND_WAITING = PAGING | {"Wait", "MinCount"}


class Edge:
    """Translates requests into calls of the pipeline, and results into responses."""

    def __init__(
        self,
        pipeline: Pipeline,
        tokens: PageTokens,
        roots: RootUrls,
        waiting: ListWaiting,
        streams: EventStreams,
        *,
        records_forms: bool = False,
    ) -> None:
        """``records_forms``: the journal of requests records forms."""
        self._pipeline = pipeline
        self._tokens = tokens
        self._roots = roots
        self._waiting = waiting
        self._streams = streams
        self._records_forms = records_forms

    async def respond(
        self, operation: Operation, path: dict[str, str], request: Request, caller: Caller
    ) -> Response:
        """Run one operation, and return its response. Raises ApiError."""
        request.operation_id = operation.operation_id
        form = (
            await parse_multipart(request) if is_multipart(request) else form_of(operation, request)
        )
        if self._records_forms:
            request.form = form
        call = self._call(operation, path, request, caller, form)
        # The call may wait for a webhook; it keeps only the used part of its form then.
        request.body = b""
        del form
        view = self._view(call, request)

        def run(call: Call[Any]) -> Awaitable[OperationResult]:
            return self._pipeline.run(call, lambda c, o: self._render(c, o, view))

        if operation.spec.has_stream and accepts_events(request):
            return await self._streams.respond(request, call)
        if wants_to_wait(call):
            outcome = await self._waiting.run(request, call, run)
        else:
            outcome = await run(call)
        if outcome.status == 204:
            return NO_CONTENT
        body = outcome.replayed or self._render(call, outcome, view)
        if call.event_cursor is None:
            return Response(outcome.status, body)
        return Response(outcome.status, body, (JSON, (_CURSOR, call.event_cursor.encode())))

    def _call(
        self,
        operation: Operation,
        path: dict[str, str],
        request: Request,
        caller: Caller,
        form: RequestForm,
    ) -> Call[Any]:
        call: Call[Any] = Call(
            operation=operation,
            caller=caller,
            path=path,
            resource=self.resource_of(request.path),
            form=form,
            origin=_origin(operation, request),
            work=request.work,
        )
        if operation.spec.request_body is BodyKind.DOCUMENT:
            call.body, call.content_type = request.body, _document_type(request)
        if operation.method == "POST":
            call.idempotency_key = idempotency_key(request)
        if operation.spec.shows_cursor and request.header(_CURSOR) is not None:
            call.wants_event_cursor = "PageToken" not in form
        if operation.spec.list_key:
            call.page = pages.parse_page_request(
                form,
                default=min(operation.spec.page_size_default, operation.spec.page_size_max),
                maximum=operation.spec.page_size_max,
                list_context=_list_context(call),
                tokens=self._tokens,
            )
        return call

    @staticmethod
    def resource_of(path: str) -> str:
        """Return a path without its version, as error messages quote it."""
        version = _VERSION.match(path)
        resource = path[version.end() :] or "/" if version else path
        return resource if resource.isascii() else resource.encode("utf-8", "replace").decode()

    def _view(self, call: Call[Any], request: Request) -> View:
        root = self._roots.of(request) + "/v1"
        in_service = call.operation.url_form is UrlForm.SERVICE
        base = f"{root}/Services/{normal(call.path['ChatServiceSid'])}" if in_service else root
        return View(base, root, in_service, call.operation.spec.list_key != "")

    def _render(self, call: Call[Any], outcome: OperationResult, view: View) -> bytes:
        """Return the body of a response."""
        if outcome.status == 204:
            return b""
        represent = call.operation.represent
        if not isinstance(outcome.result, Rows):
            return encode(represent(outcome.result, view))
        rows = outcome.result
        page, shown = pages.fill_page(
            rows.records,
            call.page_request,
            lambda some: encode([represent(each, view) for each in some]),
            limits.PAGE_BYTES_MAX,
        )
        edges = None
        if page.rows:
            edges = rows.position_of(page.rows[0]), rows.position_of(page.rows[-1])
        if rows.end is not None:
            page, edges = _feed_page(page, rows.end, edges)
        meta = pages.page_meta(
            url=view.root_url.removesuffix("/v1") + _requested_path(call),
            filters=_filters(call),
            request=call.page_request,
            page=page,
            key=call.operation.spec.list_key,
            positions=edges,
            tokens=self._tokens,
            list_context=_list_context(call),
        )
        body = call.operation.spec.envelope(meta, Raw(shown), len(page.rows))
        if rows.end is not None:
            assert edges is not None
            body |= {"after": edges[1][0], "is_more": page.has_next}
        if call.is_complete is not None:
            body["complete"] = call.is_complete
        return encode(body)


def _feed_page(
    page: Page[Any], end: FeedEnd, edges: tuple[RowPosition, RowPosition] | None
) -> tuple[Page[Any], tuple[RowPosition, RowPosition]]:
    """Return a page of a feed, which has no previous one, and the positions of its edges.

    The last position is the end of the read, unless the page ends before it.
    """
    if page.has_next:
        assert edges is not None
        return replace(page, has_previous=False), edges
    last = (end.cursor, end.sid)
    return Page(page.rows, has_previous=False, has_next=end.has_more), (last, last)


def _origin(operation: Operation, request: Request) -> Origin:
    """Return the origin: changes of the API fire webhooks only with the header."""
    if not operation.writes:
        return SILENT
    fires = False
    if operation.spec.takes_webhook_header:
        enabled = request.header(b"x-twilio-webhook-enabled")
        fires = enabled is not None and enabled.strip().lower() == "true"
    return Origin(fires=fires, request_sid=request.request_sid)


def idempotency_key(request: Request) -> str | None:
    """Return the idempotency key of a request. Raises 20001 for an invalid one."""
    key = request.header(b"idempotency-key")
    if key is not None and not 0 < len(key) <= limits.IDEMPOTENCY_KEY_CHARS_MAX:
        raise ApiError(20001, "Invalid Idempotency-Key.")
    return key


def is_multipart(request: Request) -> bool:
    """Return whether the body is a form of several parts."""
    if request.method != "POST":
        return False
    declared = request.header(b"content-type")
    return (
        declared is not None
        and declared != _URL_ENCODED
        and declared.partition(";")[0].strip().lower() == "multipart/form-data"
    )


def form_of(operation: Operation, request: Request) -> RequestForm:
    """Return the parameters: the query of a GET, the form or the JSON object of a POST."""
    if operation.method == "GET":
        return parse_query(request.query)
    if operation.method == "DELETE" or operation.spec.request_body is BodyKind.DOCUMENT:
        return {}
    declared = request.header(b"content-type")
    if declared is not None and declared != _URL_ENCODED:
        kind = declared.partition(";")[0].strip().lower()
        if kind == _JSON and operation.spec.request_body is BodyKind.JSON:
            return parse_json_fields(request.body)
        if request.body and kind != _URL_ENCODED:
            raise ApiError(20001, "Unsupported content type.", status=415)
    # Each escape costs time to decode; the length of the body does not bound their number.
    most = operation.spec.form_escapes_max
    if len(request.body) > most and request.body.count(b"%") > most:
        raise ApiError(20413)
    return parse_form(request.body)


def _document_type(request: Request) -> str:
    """Return the content type of a document. Raises 20001 (415) for other types than documents."""
    declared = request.header(b"content-type") or ""
    kind = declared.partition(";")[0].strip().lower()
    if kind not in DOCUMENT_TYPES:
        raise ApiError(20001, "Unsupported content type.", status=415)
    return kind


def _filters(call: Call[Any]) -> list[tuple[str, str]]:
    """Return the query of a list without its paging and its wait."""
    left_out = _PAGING_AND_WAITING if call.operation.spec.wakes_on else PAGING
    return [
        (name, text) for name, texts in call.form.items() if name not in left_out for text in texts
    ]


def _list_context(call: Call[Any]) -> str:
    """Return the context that page tokens are signed with: account, path, filters."""
    return repr((call.caller.account_sid, call.resource, _filters(call)))


def _requested_path(call: Call[Any]) -> str:
    version = _VERSION.match(call.operation.path)
    assert version is not None
    return version.group() + call.resource
