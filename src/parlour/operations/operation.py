"""The table of operations: declared once per resource, in both URL forms.

A ``Collection`` names a path and what can be done there; ``operations_of`` makes of it the
operations of the API, each with its ``operationId``, its method and its path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from parlour.operations.parameters import NoParameters, Parameters
from parlour.protocol.pages import envelope
from parlour.vocabulary import limits

if TYPE_CHECKING:
    import msgspec

    from parlour.operations.call import Call, View
    from parlour.protocol.pages import Envelope
    from parlour.store.transaction import ConflictScope, Transaction

Action = Callable[["Transaction", "Call[Any]"], Awaitable[Any]]
Represent = Callable[[Any, "View"], "dict[str, Any] | msgspec.Struct"]
ConflictScopeOf = Callable[["Call[Any]"], "ConflictScope | None"]
PermissionCheck = Callable[["Transaction", "Call[Any]"], Awaitable[None]]


class UrlForm(Enum):
    """Where an operation stands: below an account, its default service, or a named service."""

    ACCOUNT = "account"
    SHORT = "short"
    SERVICE = "service"


class AuthScheme(Enum):
    """How an operation authenticates its caller.

    The router serves the operations with ``ACCOUNT_LOGIN``; those with another scheme have an
    endpoint of their own, which the server finds by the scheme (http/endpoint_routes.py).
    """

    ACCOUNT_LOGIN = "account login"
    """HTTP Basic: an account and its auth token, or an API key and its secret."""
    CLIENT = "access token of a client, or account login"
    SIGNED_URL = "signature in the URL"


class BodyKind(Enum):
    """What the body of a request or of a response is made of."""

    FORM = "form"
    JSON = "JSON"
    STREAM = "stream of bytes"
    """Never in memory as a whole; written and read while it is transferred."""


ACCOUNT_ONLY = (UrlForm.ACCOUNT,)
SERVICE_ONLY = (UrlForm.SERVICE,)
SHORT_AND_SERVICE = (UrlForm.SHORT, UrlForm.SERVICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSpec:
    """One thing that can be done at a path: a verb, its action and its parameters."""

    verb: str
    method: str
    on_instance: bool
    status: int
    action: Action
    parameters: type[Parameters] = NoParameters
    takes_webhook_header: bool = False
    pre_action: str | None = None
    conflict_scope: ConflictScopeOf | None = None
    """How far a call reaches, where that is within one conversation: then calls share commits."""
    permits: PermissionCheck | None = None
    """Whether a connected user may do this. None: no user may, only the account."""
    page_size_default: int = limits.PAGE_SIZE_DEFAULT
    page_size_max: int = limits.PAGE_SIZE_SMALL_MAX
    list_key: str = ""
    envelope: Envelope = envelope
    represent: Represent | None = None
    other_statuses: tuple[int, ...] = ()
    """What else its success may be answered with: statuses that the action says itself."""
    form_escapes_max: int = limits.FORM_ESCAPES_MAX
    """Percent-escapes in a form: decoding them is the work of a large one."""
    request_body: BodyKind = BodyKind.FORM
    response_body: BodyKind = BodyKind.JSON
    check_before_body: Action | None = None
    """Runs in a transaction of its own before a stream is read, which may take minutes."""

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every status of its success, the usual one first."""
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
) -> OperationSpec:
    """POST on a collection: 201."""
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
    )


def fetch(
    action: Action,
    *,
    permits: PermissionCheck | None = None,
    response_body: BodyKind = BodyKind.JSON,
) -> OperationSpec:
    """GET on an instance: 200."""
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
    """POST on an instance: 200; absent parameters keep their values."""
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
    """DELETE on an instance: 204 and no body."""
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
) -> OperationSpec:
    """GET on a collection: a page. The action returns ``Rows``; ``key`` names the array."""
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
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One path of the API and what can be done there.

    ``path`` is what follows ``/v1`` (short form) or ``/v1/Services/{ChatServiceSid}``.
    ``instance`` is the last segment of the instance path; None for a resource of which there is
    exactly one: then every deed is on ``path`` itself. ``noun`` is the operation ids' noun, and
    ``service_noun`` the one of the service form (``Service`` and the noun, if not given).
    ``listed`` is false for what is served beside the 103 operations: aliases and other versions.
    ``is_setting``: changes of an account's settings are rare and come one after the other, so
    that each may read what another wrote before.
    ``needs_auth_token``: an API key may not do it (403, 20403), so that a leaked one cannot make
    another that outlives its revocation. ``answers_by_login``: the answer depends on the login, so
    a request that is sent again by another login is another request. ``authentication`` is the
    scheme of all its operations.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One of the API's operations: an id, a method, a path, and what it runs."""

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

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"

    @property
    def has_endpoint(self) -> bool:
        """Whether an endpoint of its own serves it, instead of the router and the pipeline."""
        return self.authentication is not AuthScheme.ACCOUNT_LOGIN


def operations_of(collection: Collection) -> list[Operation]:
    """The operations of one collection, in both URL forms where it has both."""
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
                )
            )
    return made
