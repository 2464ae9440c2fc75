"""Requests of the console: their paths, their headers, and their way to the operations.

The console (``parlour/console``) is a gate in front of the operations of the API. It authenticates
a request by its session and passes it on with its inner path; from there it takes the same way as
a request with a login, but for its slot (request_slots.py) and the faults of test mode.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from parlour.http.endpoint_routes import EndpointRoute
from parlour.http.streams import read_body
from parlour.operations.operation import AuthScheme
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.http.endpoint_routes import EndpointMatch, EndpointRoutes, OperationEndpoint
    from parlour.http.messages import Headers, Request, RequestSession, Response
    from parlour.http.router import Router
    from parlour.operations.operation import Operation

CONSOLE_ROOT: Final = "/parlour/console"
CONSOLE_API: Final = f"{CONSOLE_ROOT}/api"
CONSOLE_ROUTE: Final = EndpointRoute(
    re.compile(re.escape(CONSOLE_ROOT) + r"(?:/.*)?\Z", re.DOTALL),
    CONSOLE_ROOT,
    AuthScheme.CONSOLE,
    {},
    is_shared=False,
)
NO_STORE: Final = (b"cache-control", b"no-store")
_HEAD: Final = re.compile(
    rb"[A-Z]{1,20} (?:https?://[^/?# ]*)?%s(?:[/? ]|\Z)" % CONSOLE_ROOT.encode(), re.IGNORECASE
)
_GATED: Final = frozenset({AuthScheme.CLIENT, AuthScheme.ACCOUNT_TRANSFER})
"""Schemes of dedicated endpoints that take the caller of a session; others have no caller."""
_FEATURES: Final = (
    "accelerometer",
    "autoplay",
    "camera",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "publickey-credentials-get",
    "screen-wake-lock",
    "serial",
    "usb",
    "web-share",
    "xr-spatial-tracking",
)


def is_for_console(request: Request) -> bool:
    """Return whether the console serves a request."""
    return request.endpoint is not None and request.endpoint.route is CONSOLE_ROUTE


def is_console_head(head: bytes) -> bool:
    """Return whether the first bytes of a head, malformed or not, are for the console."""
    return _HEAD.match(head) is not None


def console_headers(media_url: str) -> Headers:
    """Return the headers of all responses of the console.

    ``media_url`` is the setting: the page shows media of that origin as well.
    """
    origin = ""
    if media_url:
        parts = urlsplit(media_url)
        origin = f" {parts.scheme}://{parts.netloc}"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"img-src 'self' blob:{origin}; media-src 'self' blob:{origin}; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    features = ", ".join(f"{each}=()" for each in _FEATURES)
    return (
        (b"content-security-policy", policy.encode()),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"permissions-policy", features.encode()),
    )


class GatedOperations:
    """The operations of a server, for requests that a gate has authenticated."""

    def __init__(
        self,
        router: Router,
        routes: EndpointRoutes,
        endpoints: Mapping[AuthScheme, OperationEndpoint],
    ) -> None:
        self._router = router
        self._routes = routes
        self._endpoints = endpoints

    def find(self, path: str, method: str) -> Operation | None:
        """Return the operation of a path; None if there is none, or none for sessions."""
        match = self._routes.find(path, method)
        if match is None:
            return self._router.operation_of(path, method)
        return match.route.operations.get(method) if _is_gated(match) else None

    async def respond(self, request: Request, path: str, session: RequestSession) -> Response:
        """Run a request as its session's caller; ``path`` is not decoded. Raises ApiError."""
        request.path, request.session, request.caller = path, session, session.caller
        request.endpoint = match = self._routes.find(path, request.method)
        if match is not None:
            if not _is_gated(match):
                raise ApiError.not_found(path)
            endpoint = self._endpoints[match.route.authentication]
            return await endpoint.respond(request, match)
        if request.method == "POST" and not request.has_body:
            await read_body(request)
        return await self._router.respond(request, session.caller)


def _is_gated(match: EndpointMatch) -> bool:
    return match.route.authentication in _GATED


class ConsoleOff:
    """The endpoint of the console where it is off."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    async def respond(self, request: Request, match: EndpointMatch) -> Response:
        """Raise 404."""
        del match
        request.shared_headers = (*self._headers, NO_STORE)
        raise ApiError(20404, "The console is off.")
