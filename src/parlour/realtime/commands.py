"""Commands: the requests of clients other than reading objects and subscribing.

A command runs an operation, with the same parameters, actions, webhooks and errors, as a user
whose roles are checked. Clients learn of its changes by notifications of objects; the reply only
confirms the command.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from parlour.operations.call import Call, OperationResult, Rows
from parlour.protocol import pages
from parlour.protocol.forms import decode_path_segment, parse_form, parse_query
from parlour.protocol.pages import Page, PagePosition
from parlour.realtime import bodies, command_table
from parlour.realtime.session import TunnelReply
from parlour.resources.participants.store import Participant
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import SDK, Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.operations.pipeline import Pipeline
    from parlour.protocol.forms import FormFields
    from parlour.protocol.pages import PageRequest, PageTokens, RowPosition
    from parlour.realtime.command_table import Command
    from parlour.realtime.session import Session, TunnelRequest
    from parlour.vocabulary.scope import Scope

_encode: Final = msgspec.json.Encoder().encode
_AREAS: Final = (
    ("/Client/v2/", command_table.CLIENT),
    ("/v1/", command_table.REGISTRATIONS),
)


class TypingPublisher(Protocol):
    """Publish typing indicators."""

    def publish_typing(
        self, scope: Scope, conversation_sid: str, participant_sid: str, identity: str
    ) -> None:
        """Publish that a participant is typing."""
        ...


class Commands:
    """Handle the commands of all clients."""

    def __init__(self, pipeline: Pipeline, tokens: PageTokens, hub: TypingPublisher) -> None:
        self._pipeline = pipeline
        self._tokens = tokens
        self._hub = hub

    async def handle(self, session: Session, request: TunnelRequest) -> TunnelReply:
        """Handle one request. Raises ApiError."""
        command, path = match_command(request)
        request.operation_id = command.operation.operation_id
        call = self._call(session, request, command, path)
        outcome = await self._pipeline.run(call, _no_stored_reply)
        if command.publishes_typing:
            self._publish_typing(session, outcome.result)
        if outcome.status == 204:
            return TunnelReply(status=204)
        return TunnelReply(status=outcome.status, body=self._body(session, command, call, outcome))

    def _call(
        self, session: Session, request: TunnelRequest, command: Command, path: dict[str, str]
    ) -> Call[Any]:
        spec = command.operation.spec
        form = _form(request, command)
        if request.records_form:
            request.form = dict(form)
        if command.token_fields is not None:
            form |= command.token_fields(session.token)
        if command.publishes_typing:
            path["ConversationSid"] = _pop_conversation_sid(form)
        call: Call[Any] = Call(
            operation=command.operation,
            caller=session.caller,
            path=path | {"ChatServiceSid": session.scope.service_sid, "UserSid": session.user_sid},
            resource="/" + "/".join(command.path),
            form=form,
            origin=Origin(SDK, session.identity, fires=True, request_sid=request.sid),
        )
        if spec.list_key:
            call.page = pages.parse_page_request(
                form,
                default=limits.CLIENT_PAGE_SIZE_MAX,
                maximum=limits.CLIENT_PAGE_SIZE_MAX,
                list_context=_list_key(session, request),
                tokens=self._tokens,
            )
            call.resource = _list_key(session, request)
        return call

    def _publish_typing(self, session: Session, typist: object) -> None:
        assert isinstance(typist, Participant)
        self._hub.publish_typing(
            session.scope, typist.conversation_sid, typist.sid, session.identity
        )

    def _body(
        self, session: Session, command: Command, call: Call[Any], outcome: OperationResult
    ) -> bytes:
        assert command.represent is not None
        if not isinstance(outcome.result, Rows):
            return _encode(command.represent(outcome.result, session))
        page = pages.slice_page(outcome.result.records, call.page_request)
        key = command.operation.spec.list_key
        page, shown = _truncate(page, call.page_request, partial(_row, command, session))
        meta = self._meta(call.page_request, page, outcome.result, key, call.resource)
        return _encode({key: shown, "meta": meta})

    def _meta(
        self, request: PageRequest, page: Page[Any], rows: Rows, key: str, list_key: str
    ) -> dict[str, Any]:
        """Return the metadata of a page; both tokens are present, ``null`` without such a page."""

        def token(edge: RowPosition | None, *, backwards: bool) -> str | None:
            if edge is None:
                return None
            return self._tokens.write(list_key, PagePosition(*edge, backwards=backwards))

        first = rows.position_of(page.rows[0]) if page.rows and page.has_previous else None
        last = rows.position_of(page.rows[-1]) if page.rows and page.has_next else None
        return {
            "page_size": request.size,
            "previous_token": token(first, backwards=True),
            "next_token": token(last, backwards=False),
            "key": key,
        }


def _truncate(
    page: Page[Any], request: PageRequest, show: Callable[[Any], Any]
) -> tuple[Page[Any], list[msgspec.Raw]]:
    """Represent the rows of a page, as many as fit CLIENT_PAGE_BYTES_MAX together.

    The remaining rows are on the next page in the requested direction. A page has at least one row;
    a row may be represented by several.
    """
    order = page.rows[::-1] if request.backwards else page.rows
    shown: list[list[bytes]] = []
    size_bytes = 0
    for record in order:
        row = show(record)
        parts = [_encode(each) for each in (row if isinstance(row, list) else [row])]
        size_bytes += sum(map(len, parts))
        if shown and size_bytes > limits.CLIENT_PAGE_BYTES_MAX:
            break
        shown.append(parts)
    rows = order[: len(shown)]
    is_cut = len(rows) < len(order)
    if request.backwards:
        rows, shown = rows[::-1], shown[::-1]
        page = Page(rows, has_previous=page.has_previous or is_cut, has_next=page.has_next)
    else:
        page = Page(rows, has_previous=page.has_previous, has_next=page.has_next or is_cut)
    return page, [msgspec.Raw(part) for parts in shown for part in parts]


def _row(command: Command, session: Session, record: Any) -> Any:
    assert command.represent is not None
    return command.represent(record, session)


def match_command(request: TunnelRequest) -> tuple[Command, dict[str, str]]:
    """Return the command of a path. Raises 404, and 405 if the path has another method."""
    is_known = False
    for prefix, commands in _AREAS:
        if not request.path.startswith(prefix):
            continue
        segments = _segments(request.path[len(prefix) :])
        for command in commands:
            variables = command.variables_of(segments)
            if variables is None:
                continue
            if command.method == request.method:
                return command, variables
            is_known = True
    raise ApiError(20004) if is_known else ApiError.not_found(request.path)


def _segments(raw: str) -> list[str]:
    """Return the decoded segments of a path; an escaped slash does not separate segments."""
    segments = [decode_path_segment(segment) for segment in raw.split("/")]
    return [segment for segment in segments if segment] if all(segments) else []


def _form(request: TunnelRequest, command: Command) -> FormFields:
    """Return the parameters of a request: of its query if the command has no body."""
    body = request.take_body()
    if len(body) > limits.COMMAND_BODY_BYTES_MAX:
        raise ApiError(20413)
    if command.reads_form:
        return parse_form(body)
    if request.method != "GET":
        return bodies.parse(body, command.members)
    fields = [f"{name}={value}" for name, values in request.params.items() for value in values]
    return parse_query("&".join(fields).encode())


def _pop_conversation_sid(form: FormFields) -> str:
    """Return the conversation of a typing indicator, by its former name. Raises 50351."""
    named = form.pop("ChannelSid", [""])[-1]
    if not named:
        raise ApiError(50351)
    return named


def _list_key(session: Session, request: TunnelRequest) -> str:
    """Return the key that page tokens are bound to: list and user."""
    return f"{session.scope.service_sid} {session.user_sid} {request.path}"


def _no_stored_reply(_call: Call[Any], _outcome: OperationResult) -> bytes:
    """Store no reply: clients send no idempotency keys."""
    return b""
