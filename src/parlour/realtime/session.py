"""What a connection knows of its user, and the HTTP that travels in its frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.operations.caller import Caller
    from parlour.protocol.access_tokens import AccessToken
    from parlour.vocabulary.scope import Scope


@dataclass(slots=True, kw_only=True)
class Session:
    """Who is connected. Only ``token`` changes: the client may show a newer one.

    ``root_url`` is where the client reaches the server over HTTP: ``https://host`` without a
    slash at the end.
    """

    token: AccessToken
    scope: Scope
    caller: Caller
    identity: str
    user_sid: str
    root_url: str


@dataclass(slots=True, kw_only=True)
class TunnelRequest:
    """An HTTP request inside a frame. ``path`` and ``params`` are as sent: percent-encoded."""

    method: str
    path: str
    params: dict[str, list[str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    body: bytes = b""

    def take_body(self) -> bytes:
        """Return the body and drop it: a request may wait long for what it asks for."""
        body, self.body = self.body, b""
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelReply:
    """Its answer, and what is done then. ``body`` is JSON without line ends, or empty.

    ``newest_sequence`` is the last event that a page of items was read with; 0 for anything else.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    newest_sequence: int = 0
    after_reply: Callable[[], Awaitable[None]] | None = None
