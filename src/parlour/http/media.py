"""Media over HTTP: upload, look-up, download, and what browsers ask beforehand.

These paths have an entry of their own because their bodies are not read as a whole, and because
client SDKs call them from any web page with an access token in ``X-Twilio-Token``. They never
take cookies, so every origin may read the answers, and none is told that credentials may go along.
A temporary URL needs no header: it is signed, and good for a few minutes (protocol/media_urls.py).

A look-up is admitted as any request, after its body was read, and keeps its place until its answer
is with the kernel. Uploads and downloads have places of their own (``operations/transfers.py``): a
download gives its place among the requests back for one of those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from parlour.http.edge import Edge
from parlour.http.messages import NO_CONTENT, Response, encode
from parlour.http.streams import read_body
from parlour.protocol.access_tokens import AccessTokenRefused
from parlour.protocol.media_urls import new_link
from parlour.resources.media import actions as media_actions
from parlour.resources.media import representation as media_representation
from parlour.resources.tokens import verification as token_verification
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.http.authentication import Authentication
    from parlour.http.client_addresses import ClientAddresses
    from parlour.http.downloads import Downloads
    from parlour.http.media_paths import MediaMatch
    from parlour.http.messages import Request
    from parlour.http.root_urls import RootUrls
    from parlour.http.uploads import Uploads
    from parlour.operations.admission import Admission
    from parlour.operations.caller import Caller
    from parlour.protocol.media_urls import MediaUrls
    from parlour.resources.media.actions import MediaView
    from parlour.resources.tokens.verification import AccessTokenVerifier
    from parlour.store.transaction import Store, Transaction
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
"""What every answer of these paths says; none of them says that credentials may go along."""


class _WantedMedium(msgspec.Struct):
    """One medium of a set."""

    media_sid: str


class _MediaSet(msgspec.Struct):
    """What a MediaSet request says."""

    command: str
    wanted: list[_WantedMedium] = msgspec.field(name="list")


class _Asked(NamedTuple):
    """Who asks, in which service, and for which medium if the path names one."""

    request: Request
    caller: Caller
    scope: Scope
    sid: str


class MediaCallers:
    """Finds who asks: a connected user by access token, or else an account by HTTP Basic."""

    def __init__(
        self,
        authentication: Authentication,
        access_tokens: AccessTokenVerifier,
        client_addresses: ClientAddresses,
    ) -> None:
        self._authentication = authentication
        self._client_addresses = client_addresses
        self._access_tokens = access_tokens

    async def of(self, request: Request, service_sid: str) -> Caller:
        """The caller. Raises 401, 403, and 404 for a token of another service."""
        text = request.header(b"x-twilio-token")
        if text is None:
            peer = self._client_addresses.address_of(request)
            return await self._authentication.authenticate(request.block, peer)
        try:
            token = await self._access_tokens.verify(
                text, self._client_addresses.address_of(request)
            )
        except AccessTokenRefused as error:
            raise ApiError(error.code) from error
        except token_verification.AccountNotActive:
            raise ApiError(20005) from None
        except token_verification.ServiceUnknown:
            raise not_found(request) from None
        if token.service_sid != service_sid:
            raise not_found(request)
        return token_verification.caller_of(token)


def not_found(request: Request) -> ApiError:
    """The answer for whatever this caller may not see, there or not."""
    return ApiError.not_found(Edge.resource_of(request.path))


class MediaEdge:
    """Answers what is asked about media."""

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
        media_url: str,
    ) -> None:
        """``media_url`` is where temporary URLs start; empty: where all others do."""
        self._store = store
        self._callers = callers
        self._uploads = uploads
        self._downloads = downloads
        self._urls = urls
        self._roots = roots
        self._clock = clock
        self._admission = admission
        self._media_url = media_url.rstrip("/")
        self._deeds: dict[str, Callable[[_Asked], Awaitable[Response]]] = {
            "CreateMedia": self._create,
            "FetchMediaSet": self._fetch_set,
            "FetchMedia": self._fetch,
            "FetchMediaContent": self._fetch_content,
        }

    async def reply(self, request: Request, found: MediaMatch) -> Response:
        """The answer. Raises ApiError."""
        place = found.place
        request.shared_headers = SHARED_HEADERS
        request.has_unread_body = request.method == "POST"
        if request.method == "OPTIONS":
            return NO_CONTENT
        if request.method not in place.methods:
            raise ApiError(20004, headers={"Allow": ", ".join(place.methods)})
        request.operation_id = place.operation_id
        if place.operation_id not in self._deeds:
            return await self._fetch_direct(request)
        asked = await self._asked(request, **found.names)
        return await self._deeds[place.operation_id](asked)

    async def _asked(self, request: Request, service: str, sid: str = "") -> _Asked:
        service_sid = sids.normal(service) if sids.is_sid(sids.SERVICE, service) else ""
        caller = await self._callers.of(request, service_sid)
        request.caller = caller
        request.exchange.assign_account(caller.account_sid, caller.identity or "")
        if not service_sid:
            raise not_found(request)
        return _Asked(request, caller, Scope(caller.account_sid, service_sid), sid)

    # --- Upload -----------------------------------------------------------------------------

    async def _create(self, asked: _Asked) -> Response:
        seen = await self._uploads.take(asked.request, asked.scope, asked.caller.identity)
        return Response(201, encode(self._record(asked.request, seen)))

    # --- Look-up ----------------------------------------------------------------------------

    def _record(self, request: Request, seen: MediaView) -> dict[str, Any]:
        root_url = self._roots.of(request)
        scope = Scope(seen.medium.account_sid, seen.medium.service_sid)
        link = new_link(scope, seen.medium.sid, seen.user_sid, self._clock.now_ms())
        direct_url = (self._media_url or root_url) + self._urls.sign(link)
        return media_representation.represent_media(seen, root_url=root_url, direct_url=direct_url)

    def _admit(self, asked: _Asked) -> None:
        """Take a place among the requests, until the answer is sent. Raises ApiError 429, 503."""
        self._admission.enter(asked.caller.account_sid, asked.caller.identity)
        asked.request.admitted_as = asked.caller

    async def _see(self, asked: _Asked) -> MediaView:
        self._admit(asked)
        seen = await self._store.read(
            lambda tx: media_actions.find_visible(
                tx, asked.scope, asked.caller.identity, asked.sid
            ),
            account_sid=asked.scope.account_sid,
        )
        if seen is None:
            raise not_found(asked.request)
        return seen

    async def _fetch(self, asked: _Asked) -> Response:
        return Response(200, encode(self._record(asked.request, await self._see(asked))))

    async def _fetch_set(self, asked: _Asked) -> Response:
        wanted = _wanted(await read_body(asked.request))
        self._admit(asked)

        async def look(tx: Transaction) -> list[MediaView | None]:
            identity = asked.caller.identity
            return [
                await media_actions.find_visible(tx, asked.scope, identity, sid) for sid in wanted
            ]

        found = await self._store.read(look, account_sid=asked.scope.account_sid)
        shown = [
            {"code": 404, "media_record": {"sid": sid}}
            if seen is None
            else {"code": 200, "media_record": self._record(asked.request, seen)}
            for sid, seen in zip(wanted, found, strict=True)
        ]
        return Response(200, encode(shown))

    # --- Download ---------------------------------------------------------------------------

    async def _fetch_content(self, asked: _Asked) -> Response:
        request, caller = asked.request, asked.caller
        reply = await self._bytes(request, await self._see(asked))
        if reply.content is not None:
            request.admitted_as = None
            self._admission.leave(caller.account_sid, caller.identity)
        return reply

    async def _fetch_direct(self, request: Request) -> Response:
        link = self._urls.verify(request.path, request.query, self._clock.now_ms())
        # The link has the SID of a user, not the identity: as a member of the account, that is
        # another name.
        self._admission.enter(link.scope.account_sid, link.user_sid or None)
        try:
            seen = await self._store.read(
                lambda tx: media_actions.find_visible_as_user(
                    tx, link.scope, link.user_sid, link.sid
                ),
                account_sid=link.scope.account_sid,
            )
        finally:
            self._admission.leave(link.scope.account_sid, link.user_sid or None)
        if seen is None:
            raise not_found(request)
        request.exchange.assign_account(link.scope.account_sid, link.user_sid or "")
        return await self._bytes(request, seen)

    async def _bytes(self, request: Request, seen: MediaView) -> Response:
        reply = await self._downloads.reply(request, seen.medium, seen.user_sid)
        if reply is None:
            raise not_found(request)
        return reply


def _wanted(body: bytes) -> list[str]:
    """The sids that a MediaSet request names. Raises 20001 and 20413."""
    if len(body) > limits.MEDIA_SET_BYTES_MAX:
        raise ApiError(20413)
    try:
        asked = msgspec.json.decode(body, type=_MediaSet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ApiError(20001, "Invalid post body.") from None
    if asked.command != "get":
        raise ApiError.invalid("command")
    if len(asked.wanted) > limits.MEDIA_SET_MAX:
        raise ApiError.invalid("list")
    return [each.media_sid for each in asked.wanted]
