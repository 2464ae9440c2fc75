"""Call: one request as its operation receives it; OperationResult: its result.

HTTP and the WebSocket build the same ``Call``: caller, operation, path and parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import msgspec

from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import SILENT, Origin
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.operations.caller import Caller
    from parlour.operations.operation import Operation
    from parlour.operations.parameters import Parameters
    from parlour.operations.server_parts import ServerParts
    from parlour.operations.work_limit import WorkSlot
    from parlour.protocol.forms import FormFields as RequestForm
    from parlour.protocol.pages import PageRequest
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import ConflictScope

P = TypeVar("P", bound="Parameters")


class View(msgspec.Struct, frozen=True):
    """The context of rendering a response: the base of its URLs, and the requested URL form.

    ``base_url`` ends before the resource: ``https://host/v1`` or
    ``https://host/v1/Services/IS…``; ``root_url`` is always ``https://host/v1``.
    """

    base_url: str
    root_url: str
    shows_service: bool
    is_list: bool = False


class FeedEnd(NamedTuple):
    """Where a page of a feed ended: the cursor and the SID of the next page's token.

    ``has_more``: the read ended before the end of the feed, maybe without any record.
    """

    cursor: str
    sid: str
    has_more: bool


class Rows(msgspec.Struct, frozen=True):
    """The result of a list action: up to size + 1 records in order, and their order key.

    ``order`` and ``sid`` name the attributes of a record that make up its position in a page token.
    ``end``: the list is a feed, which is read forwards only, up to size records at a time; the
    response shows the cursor of its end.
    """

    records: list[Any]
    order: str = "sequence"
    sid: str = "sid"
    end: FeedEnd | None = None

    def position_of(self, record: Any) -> tuple[int | str, str]:
        """Return the order value and sid of a record."""
        return getattr(record, self.order), getattr(record, self.sid)


class ActionSettings(msgspec.Struct, frozen=True):
    """The settings of the server that actions depend on."""

    approves_templates: bool = True
    """Whether content templates are approved as soon as their approval is requested."""
    is_test: bool = False
    """Whether the server is in test mode."""
    marks_tokens: bool = False
    """Whether access tokens state that their dates are of this server's clock."""
    shows_bodies_to_operators: bool = True
    """Whether operators may see bodies, and so have the secrets of accounts."""
    webhook_retries: str = "durable"
    """The retry schedule of accounts that have chosen none."""


@dataclass(slots=True, kw_only=True)
class Call(Generic[P]):
    """One request in the pipeline."""

    operation: Operation
    caller: Caller
    path: Mapping[str, str]
    """Decoded values of the path's variables, by name."""
    resource: str
    """The requested path without the version, for error messages."""
    form: RequestForm
    origin: Origin = SILENT
    page: PageRequest | None = None
    idempotency_key: str | None = None
    request_digest: str = ""
    """The digest of path and form, if the request has an idempotency key."""
    scope: Scope = field(default=Scope(""))
    parsed: P | ApiError | None = None
    sealing: Vault | None = None
    """Set by the pipeline."""
    settings: ActionSettings = field(default=ActionSettings())
    """Set by the pipeline."""
    server_parts: ServerParts | None = None
    """Set by the pipeline."""
    work: WorkSlot | None = None
    """Its slot among the requests in flight, if it has one."""
    is_complete: bool | None = None
    """Whether a list that waited has the rows that it waited for; None: it did not wait."""
    body: bytes = b""
    """The body of an operation that takes a document."""
    content_type: str = ""
    """The content type of the document."""
    wants_event_cursor: bool = False
    """Whether the response shows the position in the event feed of the state that it shows."""
    event_cursor: str | None = None
    """That position. It is not always read, as it costs a tenth of a list."""
    is_rate_counted: bool = False
    """Whether the action rates have counted it."""

    @property
    def parameters(self) -> P:
        """The parsed parameters. Raises the ApiError of a form that could not be parsed.

        Used only after the lookups of the path, since these come first in the order of checks.
        """
        assert self.parsed is not None
        if isinstance(self.parsed, ApiError):
            raise self.parsed.with_traceback(None)
        return self.parsed

    def conflict_scope(self) -> ConflictScope | None:
        """Return the conflict scope that the operation declares; None if it has none.

        A stored response of an idempotency key is outside of any such scope.
        """
        conflict_scope = self.operation.spec.conflict_scope
        if (
            conflict_scope is None
            or self.idempotency_key is not None
            or isinstance(self.parsed, ApiError)
        ):
            return None
        return conflict_scope(self)

    def not_found(self, code: int = 20404) -> ApiError:
        """Return the error for an object of the path that does not exist for this caller.

        For an account it contains the path; for a connected user ``code`` identifies the object.
        """
        if self.caller.identity is None or code == 20404:
            return ApiError.not_found(self.resource)
        return ApiError(code)

    @property
    def page_request(self) -> PageRequest:
        """The page that a list call requests."""
        assert self.page is not None
        return self.page

    @property
    def parts(self) -> ServerParts:
        """The parts of the server, for what an action reads from the memory of this process."""
        assert self.server_parts is not None
        return self.server_parts

    @property
    def vault(self) -> Vault:
        """The vault that encrypts secrets before they are stored."""
        assert self.sealing is not None
        return self.sealing


class OperationResult(msgspec.Struct, frozen=True):
    """The result of an operation: its status, and a record, ``Rows`` or None.

    ``replayed`` is the stored response body of a request with a repeated idempotency key;
    ``revoked`` is the name of a revoked login, which has to be removed from caches.
    """

    status: int
    result: Any
    replayed: bytes | None = None
    revoked: str | None = None


class AcceptedResult(msgspec.Struct, frozen=True):
    """A result with another status than the operation's usual one."""

    status: int
    result: Any


class RevokedLogin(msgspec.Struct, frozen=True):
    """The result of an action that revoked a login."""

    login: str
