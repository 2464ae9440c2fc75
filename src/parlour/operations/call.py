"""Call: one request, as its operation sees it; Outcome: what came of it.

HTTP and the socket build the same ``Call``: who, which operation, where, and what was said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import SILENT, Origin
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.operations.caller import Caller
    from parlour.operations.operation import Operation
    from parlour.operations.parameters import Parameters
    from parlour.operations.work_limit import WorkSlot
    from parlour.protocol.forms import FormFields as RequestForm
    from parlour.protocol.pages import PageRequest
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import ConflictScope

P = TypeVar("P", bound="Parameters")


class View(msgspec.Struct, frozen=True):
    """How an answer is shown: where its URLs start, and in which URL form it was asked for.

    ``base_url`` ends before the resource: ``https://host/v1`` or
    ``https://host/v1/Services/IS…``; ``root_url`` is always ``https://host/v1``.
    """

    base_url: str
    root_url: str
    shows_service: bool
    is_list: bool = False


class Rows(msgspec.Struct, frozen=True):
    """What a list action read: up to size + 1 records in reading order, and how they are ordered.

    ``order`` gives each record's ``(order value, sid)``: the position that a page token holds.
    """

    records: list[Any]
    order: str = "sequence"
    sid: str = "sid"

    def position_of(self, record: Any) -> tuple[int | str, str]:
        """The order value and sid of a record."""
        return getattr(record, self.order), getattr(record, self.sid)


@dataclass(slots=True, kw_only=True)
class Call(Generic[P]):
    """One request on its way through the pipeline."""

    operation: Operation
    caller: Caller
    path: Mapping[str, str]
    """Decoded values of the path's variables, by name."""
    resource: str
    """The requested path without the version, as error messages quote it."""
    form: RequestForm
    origin: Origin = SILENT
    page: PageRequest | None = None
    idempotency_key: str | None = None
    request_digest: str = ""
    """Of what was asked, and where, if there is such a key."""
    scope: Scope = field(default=Scope(""))
    parsed: P | ApiError | None = None
    sealing: Vault | None = None
    """Set by the pipeline."""
    work: WorkSlot | None = None
    """Its place among the requests in work, if it has one."""
    is_rate_counted: bool = False
    """Whether it has been counted among the actions per second."""

    @property
    def parameters(self) -> P:
        """The parameters. Raises what was wrong with them.

        Called only after the look-ups of the path, since those come first in the order of checks.
        """
        assert self.parsed is not None
        if isinstance(self.parsed, ApiError):
            raise self.parsed.with_traceback(None)
        return self.parsed

    def conflict_scope(self) -> ConflictScope | None:
        """How far the change reaches, if its deed tells; an answer that is kept lies outside."""
        conflict_scope = self.operation.spec.conflict_scope
        if (
            conflict_scope is None
            or self.idempotency_key is not None
            or isinstance(self.parsed, ApiError)
        ):
            return None
        return conflict_scope(self)

    def not_found(self, code: int = 20404) -> ApiError:
        """The answer for anything in the path that is not there for this caller.

        An account is told the path; a connected user is told what is missing: ``code``.
        """
        if self.caller.identity is None or code == 20404:
            return ApiError.not_found(self.resource)
        return ApiError(code)

    @property
    def page_request(self) -> PageRequest:
        """Which page a list call wants."""
        assert self.page is not None
        return self.page

    @property
    def vault(self) -> Vault:
        """What seals a secret before it is kept."""
        assert self.sealing is not None
        return self.sealing


class OperationResult(msgspec.Struct, frozen=True):
    """What an operation gave: its status, and a record, a list of rows, or nothing.

    ``replayed`` is the stored body of a request that was sent again with its idempotency key;
    ``revoked`` is the name of a login that must be let in no more.
    """

    status: int
    result: Any
    replayed: bytes | None = None
    revoked: str | None = None


class AcceptedResult(msgspec.Struct, frozen=True):
    """A result whose status is not the deed's usual one."""

    status: int
    result: Any


class RevokedLogin(msgspec.Struct, frozen=True):
    """The result of an action that took a login away."""

    login: str
