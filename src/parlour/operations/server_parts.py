"""The parts of a server that operations act on outside of transactions (``on_server``).

The composition root sets each part; operations see these interfaces only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from parlour.operations.minute_metrics import MinuteMetrics
    from parlour.operations.node_reports import NodeInspector
    from parlour.operations.operation import Operation
    from parlour.operations.request_journal import RequestJournal
    from parlour.protocol.access_tokens import TokenCheck
    from parlour.vocabulary.clock import Clock


class ServerDescription(msgspec.Struct, frozen=True, kw_only=True):
    """The response of ``GET /parlour/v1/Server``.

    ``engine`` is ``sqlite`` or ``postgresql``. ``features`` are the names below ``/parlour/v1/``
    that the server has operations of; ``operations`` are all of them, and not in the response.
    ``started_ms`` is real time, also in test mode. ``node`` is the name of this process: of the
    machine, and the process ID.
    """

    version: str
    engine: str
    is_test: bool
    started_ms: int
    socket_path: str
    node: str
    features: tuple[str, ...]
    operations: tuple[Operation, ...]


class ConnectedClient(msgspec.Struct, frozen=True, kw_only=True):
    """A connection of a client SDK to this process."""

    sid: str
    account_sid: str
    service_sid: str
    identity: str
    user_sid: str
    address: str
    sdk: str
    connected_ms: int
    token_expires_ms: int
    subscriptions: int
    """The number of objects whose changes the client receives."""


class ClientConnections(Protocol):
    """The connections of client SDKs (realtime/connected_clients.py)."""

    def list_clients(self, account_sid: str) -> list[ConnectedClient]:
        """Return the clients of an account, in any order."""
        ...

    def close_client(self, account_sid: str, sid: str) -> bool:
        """Close a connection of an account; return whether there is one with this SID."""
        ...


class SampleResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one request: the response, or the error without one."""

    elapsed_ms: int
    status: int | None = None
    body_start: str = ""
    error: str | None = None
    error_code: int | None = None


class SampleSender(Protocol):
    """Sends samples of webhooks, and knows their signing keys (delivery/webhook_samples.py)."""

    async def send_sample(
        self, account_sid: str, method: str, url: str, parameters: Mapping[str, str]
    ) -> SampleResult:
        """Send a sample; return the result, a failure included."""
        ...

    async def auth_token_of(self, account_sid: str) -> str:
        """Return the auth token of an account. Raises EgressRefused if it has none."""
        ...


class EndpointActivity(msgspec.Struct, frozen=True):
    """The deliveries to a URL that are in progress: its state, and the requests in flight."""

    state: str
    in_flight: int
    at_once_max: int


class EndpointActivities(Protocol):
    """The URLs that this process delivers to (delivery/webhook_sink.py)."""

    def endpoint_activity(self, account_sid: str, url: str) -> EndpointActivity | None:
        """Return the activity of a URL; None if this process has no delivery to it."""
        ...


class TokenReport(msgspec.Struct, frozen=True):
    """What the verification of an access token found.

    ``passed`` are the checks in their order; ``code`` (0: all passed) and ``reason`` are of the
    next one. ``header`` and ``claims`` are decoded, also of an invalid token.
    """

    passed: tuple[TokenCheck, ...]
    code: int
    reason: str
    header: dict[str, Any] | None
    claims: dict[str, Any] | None
    expires_ms: int | None


class TokenExplainer(Protocol):
    """Verifies access tokens step by step (resources/tokens/verification.py)."""

    async def explain(self, text: str, account_sid: str) -> TokenReport:
        """Return what the verification of a token finds for an account."""
        ...


@dataclass(kw_only=True)
class ServerParts:
    """The parts, by name. ``connections`` is set last: it needs other parts."""

    description: ServerDescription
    clock: Clock
    journal: RequestJournal
    webhooks: SampleSender
    endpoints: EndpointActivities
    by_minute: MinuteMetrics
    access_tokens: TokenExplainer
    make_inspector: Callable[[], NodeInspector]
    connections: ClientConnections = field(init=False)

    @cached_property
    def node(self) -> NodeInspector:
        """The inspection of this process, made at its first use."""
        return self.make_inspector()
