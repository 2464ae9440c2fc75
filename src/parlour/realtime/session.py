"""The session of a connection, and the HTTP requests and replies inside its frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.operations.caller import Caller
    from parlour.protocol.access_tokens import AccessToken
    from parlour.protocol.forms import FormFields
    from parlour.vocabulary.scope import Scope


@dataclass(slots=True, kw_only=True, repr=False)
class Session(Redacted):
    """The user of a connection. Only ``token`` changes: the client may renew it.

    ``root_url`` is the server's URL for HTTP: ``https://host`` without a trailing slash.
    """

    token: AccessToken
    scope: Scope
    caller: Caller
    identity: str
    user_sid: str
    root_url: str
    connection_sid: str = ""
    connected_ms: int = 0
    address: str = ""
    """The address of the client."""
    sdk: str = ""
    """Name and version of the client SDK, as it names itself."""


@dataclass(slots=True, kw_only=True)
class TunnelRequest:
    """An HTTP request inside a frame. ``path`` and ``params`` are percent-encoded, as sent."""

    method: str
    path: str
    params: dict[str, list[str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    body: bytes = b""
    sid: str = ""
    operation_id: str = ""
    """Set by the command that it is."""
    records_form: bool = False
    form: FormFields = field(default_factory=dict)
    """Its parameters, if they are recorded."""

    def take_body(self) -> bytes:
        """Return the body and free it: the request may be in flight for seconds."""
        body, self.body = self.body, b""
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelReply:
    """The reply to a request. ``body`` is JSON without line ends, or empty.

    ``newest_sequence`` is the last event in the snapshot of a page of items; 0 for other replies.
    ``after_reply`` runs once the reply is sent.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    newest_sequence: int = 0
    after_reply: Callable[[], Awaitable[None]] | None = None
