"""The table of operations: declared once per resource, in both URL forms.

A ``Collection`` declares a path and its operations; ``operations_of`` expands it into the
``Operation`` objects of the API, each with an ``operationId``, a method and a path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from parlour.operations.parameters import NoParameters, Parameters
from parlour.operations.waiting_lists import WaitParameters
from parlour.protocol.pages import envelope
from parlour.vocabulary import limits

if TYPE_CHECKING:
    import msgspec

    from parlour.operations.call import Call, View
    from parlour.protocol.pages import Envelope
    from parlour.store.transaction import ConflictScope, Transaction

Action = Callable[["Transaction", "Call[Any]"], Awaitable[Any]]
ServerAction = Callable[[Any, "Call[Any]"], Awaitable[Any]]
Represent = Callable[[Any, "View"], "dict[str, Any] | msgspec.Struct"]
ConflictScopeOf = Callable[["Call[Any]"], "ConflictScope | None"]
PermissionCheck = Callable[["Transaction", "Call[Any]"], Awaitable[None]]


class UrlForm(Enum):
    """The base path of an operation: an account, its default service, or a named service."""

    ACCOUNT = "account"
    SHORT = "short"
    SERVICE = "service"


class AuthScheme(Enum):
    """The way in which an operation authenticates its caller.

    The router serves the operations with ``ACCOUNT_LOGIN``; those with another scheme have a
    dedicated endpoint, which the server finds by the scheme (http/endpoint_routes.py).
    """

    ACCOUNT_LOGIN = "account login"
    """HTTP Basic: an account and its auth token, or an API key and its secret."""
    CLIENT = "access token of a client, or account login"
    ACCOUNT_TRANSFER = "account login, for a body that is transferred in chunks"
    SIGNED_URL = "signature in the URL"
    CONSOLE = "session of the console"
    """The console runs operations of other schemes, and has none itself."""
    CARRIER = "signature of a carrier"
    """Each carrier verifies its callbacks itself, after the body was read."""


class BodyKind(Enum):
    """The encoding of a request or response body."""

    FORM = "form"
    JSON = "JSON"
    STREAM = "stream of bytes"
    """Transferred in chunks, never buffered as a whole."""
    DOCUMENT = "document"
    """JSON or YAML, passed to the action as bytes with their content type."""
    RAW = "bytes"
    """Of any type, buffered as a whole within the limit of all requests."""


ACCOUNT_ONLY = (UrlForm.ACCOUNT,)
SERVICE_ONLY = (UrlForm.SERVICE,)
SHORT_AND_SERVICE = (UrlForm.SHORT, UrlForm.SERVICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSpec:
    """The declaration of one operation of a path: its verb, action and parameters."""

    verb: str
    method: str
    on_instance: bool
    status: int
    action: Action
    parameters: type[Parameters] = NoParameters
    takes_webhook_header: bool = False
    pre_action: str | None = None
    conflict_scope: ConflictScopeOf | None = None
    """Returns the conversation that a call is limited to, so that calls can share commits."""
    permits: PermissionCheck | None = None
    """The check for a connected user. None: only the account may call the operation."""
    page_size_default: int = limits.PAGE_SIZE_DEFAULT
    page_size_max: int = limits.PAGE_SIZE_SMALL_MAX
    list_key: str = ""
    envelope: Envelope = envelope
    represent: Represent | None = None
    other_statuses: tuple[int, ...] = ()
    """Further success statuses, which the action chooses itself."""
    form_escapes_max: int = limits.FORM_ESCAPES_MAX
    """The limit of percent-escapes in a form: decoding them dominates the cost of a large one."""
    request_body: BodyKind = BodyKind.FORM
    response_body: BodyKind = BodyKind.JSON
    body_bytes_max: int = limits.BODY_BYTES_MAX
    """The limit of the request body; only documents exceed the limit of all requests."""
    wakes_on: frozenset[str] = frozenset()
    """The topics after which a waiting list is read again (waiting_lists.py); empty: none."""
    has_stream: bool = False
    """Whether a list is also sent as a stream of server-sent events (http/event_streams.py)."""
    shows_cursor: bool = False
    """Whether the first page of a list shows the position of the event feed, if it asks for it."""
    check_before_body: Action | None = None
    """Runs in a separate transaction before a stream is read, which may take minutes."""
    checks_names: bool = False
    """Whether the action itself refuses unknown parameters, since their names depend on others."""
    is_recorded_read: bool = False
    """Whether the audit log records that an operator called it, although it changes nothing.

    Its response has what users wrote, or a part of it.
    """
    changes_nothing: bool = False
    """Whether a POST is a read for the audit log: its parameters are too long for a query."""
    on_server: ServerAction | None = None
    """Replaces ``action`` by one on the parts of the server, outside of transactions."""

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every success status, the usual one first."""
        return (self.status, *self.other_statuses)


def create(
    action: Action,
    parameters: type[Parameters],
    *,
    webhook_header: bool = False,
    pre_action: str | None = None,
    other_statuses: tuple[int, ...] = (),
    form_escapes_max: int = limits.FORM_ESCAPES_MAX,
    conflict_scope: ConflictScopeOf | None = None,
    permits: PermissionCheck | None = None,
    request_body: BodyKind = BodyKind.FORM,
    check_before_body: Action | None = None,
) -> OperationSpec:
    """Return the spec of a POST on a collection: 201.

    An operation with a JSON body takes a form as well, with the same names.
    """
    return OperationSpec(
        verb="Create",
        method="POST",
        on_instance=False,
        status=201,
        other_statuses=other_statuses,
        form_escapes_max=form_escapes_max,
        action=action,
        parameters=parameters,
        takes_webhook_header=webhook_header,
        pre_action=pre_action,
        conflict_scope=conflict_scope,
        permits=permits,
        request_body=request_body,
        check_before_body=check_before_body,
    )


def fetch(
    action: Action,
    *,
    permits: PermissionCheck | None = None,
    response_body: BodyKind = BodyKind.JSON,
) -> OperationSpec:
    """Return the spec of a GET on an instance: 200."""
    return OperationSpec(
        verb="Fetch",
        method="GET",
        on_instance=True,
        status=200,
        action=action,
        permits=permits,
        response_body=response_body,
    )


def update(
    action: Action,
    parameters: type[Parameters],
    *,
    webhook_header: bool = False,
    pre_action: str | None = None,
    conflict_scope: ConflictScopeOf | None = None,
    permits: PermissionCheck | None = None,
) -> OperationSpec:
    """Return the spec of a POST on an instance: 200; absent parameters are unchanged."""
    return OperationSpec(
        verb="Update",
        method="POST",
        on_instance=True,
        status=200,
        action=action,
        parameters=parameters,
        takes_webhook_header=webhook_header,
        pre_action=pre_action,
        conflict_scope=conflict_scope,
        permits=permits,
    )


def delete(
    action: Action,
    *,
    webhook_header: bool = False,
    pre_action: str | None = None,
    permits: PermissionCheck | None = None,
) -> OperationSpec:
    """Return the spec of a DELETE on an instance: 204 without a body."""
    return OperationSpec(
        verb="Delete",
        method="DELETE",
        on_instance=True,
        status=204,
        action=action,
        takes_webhook_header=webhook_header,
        pre_action=pre_action,
        permits=permits,
    )


def list_(
    action: Action,
    *,
    key: str,
    default: int = limits.PAGE_SIZE_DEFAULT,
    maximum: int = limits.PAGE_SIZE_SMALL_MAX,
    parameters: type[Parameters] = NoParameters,
    represent: Represent | None = None,
    envelope: Envelope = envelope,
    permits: PermissionCheck | None = None,
    wakes_on: frozenset[str] = frozenset(),
    shows_cursor: bool = False,
) -> OperationSpec:
    """Return the spec of a GET on a collection: a page of ``Rows``; ``key`` names the array.

    ``wakes_on``: the list can wait for rows (``waiting_lists.py``), and these topics may add some;
    its parameters are `WaitParameters`.
    """
    assert bool(wakes_on) == issubclass(parameters, WaitParameters), key
    return OperationSpec(
        verb="List",
        method="GET",
        on_instance=False,
        status=200,
        action=action,
        parameters=parameters,
        list_key=key,
        page_size_default=default,
        page_size_max=maximum,
        represent=represent,
        envelope=envelope,
        permits=permits,
        wakes_on=wakes_on,
        shows_cursor=shows_cursor,
    )


def recorded(spec: OperationSpec) -> OperationSpec:
    """Return the spec of a read of operators that the audit log records."""
    return replace(spec, is_recorded_read=True)


def on_server(
    verb: str,
    method: str,
    action: ServerAction,
    *,
    status: int = 200,
    parameters: type[Parameters] = NoParameters,
    on_instance: bool = False,
    other_statuses: tuple[int, ...] = (),
    list_key: str = "",
    page_size_max: int = limits.PAGE_SIZE_MAX,
    represent: Represent | None = None,
    request_body: BodyKind = BodyKind.FORM,
    body_bytes_max: int = limits.BODY_BYTES_MAX,
) -> OperationSpec:
    """Return the spec of an operation on the server itself (``operations/server_parts.py``).

    Its action runs outside of transactions, and may wait. ``list_key``: it returns ``Rows``.
    """
    return OperationSpec(
        verb=verb,
        method=method,
        on_instance=on_instance,
        status=status,
        action=_never_run,
        parameters=parameters,
        other_statuses=other_statuses,
        list_key=list_key,
        page_size_max=page_size_max,
        represent=represent,
        request_body=request_body,
        body_bytes_max=body_bytes_max,
        on_server=action,
    )


async def _never_run(_tx: Transaction, call: Call[Any]) -> None:
    raise AssertionError(f"{call.operation.operation_id} runs on the server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One path of the API and its operations.

    ``path`` is the part after ``/v1`` (short form) or ``/v1/Services/{ChatServiceSid}``.
    ``instance`` is the last segment of the instance path; None for a singleton, whose operations
    all use ``path`` itself. ``noun`` is the noun of the operation ids, ``service_noun`` that in the
    service form (by default ``Service`` and the noun).
    ``listed`` is false for operations in addition to the documented 103: aliases and other
    versions. ``is_setting``: changes of an account's settings are rare and run one at a time, so
    that each may read the result of the previous one.
    ``needs_auth_token``: API keys are rejected (403, 20403), so that a leaked one cannot create
    another that outlives its revocation. ``answers_by_login``: the response depends on the
    login, so a repeated request with another login is a different request. ``authentication`` is
    the scheme of all operations. ``for_operators``: the operations are on the server, and not of an
    account: only operators may call them, and accounts get 404.
    """

    noun: str
    path: str
    url_forms: tuple[UrlForm, ...]
    represent: Represent
    specs: tuple[OperationSpec, ...]
    instance: str | None = "{Sid}"
    service_noun: str | None = None
    version: str = "/v1"
    listed: bool = True
    is_setting: bool = False
    needs_auth_token: bool = False
    answers_by_login: bool = False
    authentication: AuthScheme = AuthScheme.ACCOUNT_LOGIN
    for_operators: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the API: an id, a method, a path, and its spec."""

    operation_id: str
    method: str
    path: str
    url_form: UrlForm
    spec: OperationSpec
    represent: Represent
    listed: bool = True
    is_setting: bool = False
    needs_auth_token: bool = False
    answers_by_login: bool = False
    authentication: AuthScheme = AuthScheme.ACCOUNT_LOGIN
    for_operators: bool = False

    @property
    def writes(self) -> bool:
        """Whether it may change data."""
        return self.method != "GET"

    @property
    def is_audited_change(self) -> bool:
        """Whether the audit log records each call of it."""
        return self.writes and not self.spec.changes_nothing

    @property
    def has_endpoint(self) -> bool:
        """Whether a dedicated endpoint serves it, instead of the router and the pipeline."""
        return self.authentication is not AuthScheme.ACCOUNT_LOGIN


def operations_of(collection: Collection) -> list[Operation]:
    """Return the operations of one collection, in each of its URL forms."""
    made = []
    for url_form in collection.url_forms:
        base, noun = collection.version, collection.noun
        if url_form is UrlForm.SERVICE:
            base += "/Services/{ChatServiceSid}"
            noun = collection.service_noun or f"Service{collection.noun}"
        for spec in collection.specs:
            path = base + collection.path
            if spec.on_instance and collection.instance is not None:
                path += f"/{collection.instance}"
            made.append(
                Operation(
                    operation_id=spec.verb + noun,
                    method=spec.method,
                    path=path,
                    url_form=url_form,
                    spec=spec,
                    represent=spec.represent or collection.represent,
                    listed=collection.listed,
                    is_setting=collection.is_setting,
                    needs_auth_token=collection.needs_auth_token,
                    answers_by_login=collection.answers_by_login,
                    authentication=collection.authentication,
                    for_operators=collection.for_operators,
                )
            )
    return made
