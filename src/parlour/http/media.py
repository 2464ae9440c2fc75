"""The endpoint of the media operations: upload, lookup, download.

They have a dedicated endpoint because uploads and downloads are streams, and because client
SDKs call them from any web page with an access token in ``X-Twilio-Token``. They take no cookies,
so every origin may read the responses, and none may send credentials. A temporary
URL needs no header: it is signed, and valid for a few minutes (protocol/media_urls.py).

A lookup is admitted like any request, after its body was read, and holds its slot until its
response is with the kernel. Uploads and downloads have separate slots
(``operations/transfers.py``): a download gives its request slot back when it gets one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from parlour.http.edge import Edge
from parlour.http.messages import NO_CONTENT, Response, encode
from parlour.http.request_slots import release_slot, take_slot
from parlour.http.streams import read_body
from parlour.operations import access
from parlour.operations.call import Call
from parlour.operations.caller import Caller
from parlour.operations.operation import AuthScheme, BodyKind
from parlour.protocol.access_tokens import AccessTokenRefused
from parlour.protocol.media_urls import new_link
from parlour.resources.media.parameters import parse_media_set
from parlour.resources.media.representation import SigningView
from parlour.resources.tokens import verification as token_verification
from parlour.vocabulary import sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import SDK, Origin
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.http.authentication import Authentication
    from parlour.http.client_addresses import ClientAddresses
    from parlour.http.downloads import Downloads
    from parlour.http.endpoint_routes import EndpointMatch
    from parlour.http.messages import Request, RequestHook
    from parlour.http.root_urls import RootUrls
    from parlour.http.uploads import Uploads
    from parlour.operations.admission import Admission
    from parlour.operations.audit import AuditTrail
    from parlour.operations.operation import Operation
    from parlour.protocol.media_urls import MediaUrls
    from parlour.resources.media.actions import MediaView
    from parlour.resources.tokens.verification import AccessTokenVerifier
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock

SHARED_HEADERS: Final = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, HEAD, POST, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"X-Twilio-Token, Content-Type, Authorization, Range, If-Range",
    ),
    (
        b"access-control-expose-headers",
        b"Content-Disposition, Content-Length, Content-Range, ETag, Retry-After",
    ),
    (b"access-control-max-age", b"600"),
    (b"x-content-type-options", b"nosniff"),
)
"""Headers of every response of these paths; none of them allows credentials."""


class MediaCallers:
    """Authenticates callers: a connected user by access token, or else an account by HTTP Basic."""

    def __init__(
        self,
        authentication: Authentication,
        access_tokens: AccessTokenVerifier,
        client_addresses: ClientAddresses,
    ) -> None:
        self._authentication = authentication
        self._client_addresses = client_addresses
        self._access_tokens = access_tokens

    async def authenticate(self, request: Request, service_sid: str) -> Caller:
        """Return the caller. Raises 401, 403, and 404 for a token of another service."""
        if request.session is not None:
            return request.session.caller
        text = request.header(b"x-twilio-token")
        address = self._client_addresses.address_of(request)
        if text is None:
            return await self._authentication.authenticate(request.block, address)
        try:
            token = await self._access_tokens.verify(text, address)
        except AccessTokenRefused as error:
            raise ApiError(error.code) from error
        except token_verification.AccountNotActive:
            raise ApiError(20005) from None
        except token_verification.ServiceUnknown:
            raise _not_found(request) from None
        if token.service_sid != service_sid:
            raise _not_found(request)
        return token_verification.caller_of(token)


def _not_found(request: Request) -> ApiError:
    """Return the error for everything that the caller may not see, existing or not."""
    return ApiError.not_found(Edge.resource_of(request.path))


# The steps of each operation, which ``_handlers`` selects by the kinds of its bodies:
#
# ============  ==============  ==============  ==================================================
# operation     request body    response body   steps
# ============  ==============  ==============  ==================================================
# upload        stream          JSON            transfer slot, check, bytes to the disk, action
# media set     JSON            JSON            body, request slot, action
# record        none (FORM)     JSON            request slot, action
# download      none (FORM)     stream          request slot, action, transfer slot for the bytes
# ============  ==============  ==============  ==================================================
class MediaEndpoint:
    """Serves the media operations."""

    def __init__(
        self,
        store: Store,
        *,
        callers: MediaCallers,
        uploads: Uploads,
        downloads: Downloads,
        urls: MediaUrls,
        roots: RootUrls,
        clock: Clock,
        admission: Admission,
        audit: AuditTrail,
        media_url: str,
    ) -> None:
        """``media_url`` is the root of temporary URLs; empty: the root of all other URLs."""
        self._audit = audit
        self._store = store
        self._callers = callers
        self._uploads = uploads
        self._downloads = downloads
        self._urls = urls
        self._roots = roots
        self._clock = clock
        self._admission = admission
        self._media_url = media_url.rstrip("/")
        self.around: RequestHook | None = None
        """Runs the requests, if it is set: test mode."""
        self._handlers: dict[
            tuple[BodyKind, BodyKind], Callable[[Request, Call[Any]], Awaitable[Response]]
        ] = {
            (BodyKind.STREAM, BodyKind.JSON): self._upload,
            (BodyKind.JSON, BodyKind.JSON): self._fetch_set,
            (BodyKind.FORM, BodyKind.JSON): self._fetch,
            (BodyKind.FORM, BodyKind.STREAM): self._download,
        }

    async def respond(self, request: Request, match: EndpointMatch) -> Response:
        """Run the operation of the method, and return its response. Raises ApiError."""
        if request.session is None:
            request.shared_headers = SHARED_HEADERS
        request.has_unread_body = request.method == "POST"
        if request.method == "OPTIONS":
            return NO_CONTENT
        operation = match.operation_for(request)
        if operation.authentication is AuthScheme.SIGNED_URL:
            return await self._download_signed(request, operation)
        call = await self._authenticate(request, operation, match.names)
        access.require_principal(operation, call.caller, call.resource)
        spec = operation.spec
        handle = self._handlers[spec.request_body, spec.response_body]
        if self.around is not None and request.session is None:
            return await self.around(
                request, operation, call.caller, partial(handle, request, call)
            )
        return await handle(request, call)

    async def _authenticate(
        self, request: Request, operation: Operation, names: dict[str, str]
    ) -> Call[Any]:
        service = names["ChatServiceSid"]
        service_sid = sids.normal(service) if sids.is_sid(sids.SERVICE, service) else ""
        caller = await self._callers.authenticate(request, service_sid)
        request.caller = caller
        request.exchange.assign_account(caller.account_sid, caller.identity or "")
        if not service_sid:
            raise _not_found(request)
        identity = caller.identity
        return Call(
            operation=operation,
            caller=caller,
            path=names,
            resource=Edge.resource_of(request.path),
            form={},
            origin=(
                Origin(request_sid=request.request_sid)
                if identity is None
                else Origin(SDK, identity, fires=True, request_sid=request.request_sid)
            ),
            scope=Scope(caller.account_sid, service_sid),
        )

    # --- JSON -------------------------------------------------------------------------------

    def _view(self, request: Request) -> SigningView:
        root_url = self._roots.of(request)
        return SigningView(
            base_url=f"{root_url}/v1",
            root_url=f"{root_url}/v1",
            shows_service=True,
            direct_url=partial(self._direct_url, self._media_url or root_url),
        )

    def _direct_url(self, root_url: str, found: MediaView) -> str:
        scope = Scope(found.medium.account_sid, found.medium.service_sid)
        link = new_link(scope, found.medium.sid, found.user_sid, self._clock.now_ms())
        return root_url + self._urls.sign(link)

    def _json(self, request: Request, call: Call[Any], found: MediaView) -> Response:
        record = call.operation.represent(found, self._view(request))
        return Response(call.operation.spec.status, encode(record))

    async def _upload(self, request: Request, call: Call[Any]) -> Response:
        return self._json(request, call, await self._uploads.store(request, call))

    async def _fetch(self, request: Request, call: Call[Any]) -> Response:
        self._admit(request, call)
        return self._json(request, call, await self._read(call))

    async def _fetch_set(self, request: Request, call: Call[Any]) -> Response:
        call.parsed = parse_media_set(await read_body(request))
        self._admit(request, call)
        entries = await self._read(call)
        view = self._view(request)
        shown = [call.operation.represent(each, view) for each in entries]
        return Response(call.operation.spec.status, encode(shown))

    def _admit(self, request: Request, call: Call[Any]) -> None:
        """Take a request slot until the response is sent. Raises ApiError 429, 503."""
        take_slot(request, call.caller, self._admission)

    async def _read(self, call: Call[Any]) -> Any:
        """Run the action of a call that only reads."""
        action = call.operation.spec.action
        return await self._audit.read(self._store, call, lambda tx: action(tx, call))

    # --- Streams ----------------------------------------------------------------------------

    async def _download(self, request: Request, call: Call[Any]) -> Response:
        self._admit(request, call)
        response = await self._bytes(request, await self._read(call))
        # A long download holds a transfer slot; with its request slot it would block API calls.
        if response.stream is not None:
            release_slot(request, self._admission)
        return response

    async def _download_signed(self, request: Request, operation: Operation) -> Response:
        link = self._urls.verify(request.path, request.query, self._clock.now_ms())
        account_sid = link.scope.account_sid
        call: Call[Any] = Call(
            operation=operation,
            caller=Caller(account_sid, login=""),
            path={"Sid": link.sid, "UserSid": link.user_sid},
            resource=Edge.resource_of(request.path),
            form={},
            scope=link.scope,
        )
        # The link has the SID of a user, not the identity: to the admission, another member of
        # the account.
        self._admission.enter(account_sid, link.user_sid or None)
        try:
            found = await self._read(call)
        finally:
            self._admission.leave(account_sid, link.user_sid or None)
        request.exchange.assign_account(account_sid, link.user_sid or "")
        request.caller = call.caller
        if self.around is not None:
            run = partial(self._bytes, request, found)
            return await self.around(request, operation, call.caller, run)
        return await self._bytes(request, found)

    async def _bytes(self, request: Request, found: MediaView) -> Response:
        response = await self._downloads.respond(request, found.medium, found.user_sid)
        if response is None:
            raise _not_found(request)
        return response
