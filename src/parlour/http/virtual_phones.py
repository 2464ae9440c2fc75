"""The endpoint of virtual phones: it sends their messages, and downloads their media.

A message may have files, which are streams; so it has a transfer slot instead of a request slot
(operations/transfers.py). Its response comes once the message is processed, which may take as long
as the pre-action webhooks of its conversation. Media at a URL are fetched through the egress, under
the policy of webhooks: the address is chosen by the user.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from parlour.egress.client import EgressFailed, EgressRefused, OutboundRequest
from parlour.http.edge import Edge
from parlour.http.messages import NO_CONTENT, Response, encode
from parlour.http.phone_forms import FileLimits, PhoneFormReader
from parlour.http.streams import require_media_size
from parlour.operations.call import Call, View
from parlour.protocol import media_headers
from parlour.protocol.addresses import normalise_address, parse_address
from parlour.protocol.forms import decode_path_segment
from parlour.protocol.signatures import prepare_url
from parlour.resources.media.store import Media
from parlour.resources.virtual_phones import submissions as virtual_phone_submissions
from parlour.resources.virtual_phones.parameters import CreateVirtualPhoneMessage
from parlour.resources.virtual_phones.submissions import PhoneSubmission
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.egress.client import Egress
    from parlour.http.authentication import Authentication
    from parlour.http.client_addresses import ClientAddresses
    from parlour.http.downloads import Downloads
    from parlour.http.endpoint_routes import EndpointMatch
    from parlour.http.messages import Request
    from parlour.http.root_urls import RootUrls
    from parlour.operations.admission import Admission
    from parlour.operations.operation import Operation
    from parlour.operations.transfers import Transfers
    from parlour.resources.virtual_phones.media_copies import PhoneMediaCopies
    from parlour.resources.virtual_phones.message_store import VirtualPhoneMessage
    from parlour.store.transaction import Store


class PhoneSender(Protocol):
    """Sends messages of phones (channels/virtual/sends.py)."""

    async def send(self, account_sid: str, submission: PhoneSubmission) -> VirtualPhoneMessage:
        """Send a checked message; return it with its outcome."""
        ...


class VirtualPhoneEndpoint:
    """Serves the operations with the scheme ``ACCOUNT_TRANSFER``."""

    def __init__(
        self,
        store: Store,
        sender: PhoneSender,
        copies: PhoneMediaCopies,
        *,
        authentication: Authentication,
        client_addresses: ClientAddresses,
        downloads: Downloads,
        egress: Egress,
        roots: RootUrls,
        admission: Admission,
        transfers: Transfers,
    ) -> None:
        """``transfers`` are the slots of uploads: both kinds share them."""
        self._store = store
        self._sender = sender
        self._copies = copies
        self._authentication = authentication
        self._client_addresses = client_addresses
        self._downloads = downloads
        self._egress = egress
        self._roots = roots
        self._admission = admission
        self._transfers = transfers
        # Files of a message are in memory while it is passed on.
        self._in_memory = asyncio.Semaphore(limits.VIRTUAL_PHONE_MEDIA_SENDS_MAX)

    async def respond(self, request: Request, match: EndpointMatch) -> Response:
        """Run the operation of the method, and return its response. Raises ApiError."""
        request.has_unread_body = request.method == "POST"
        if request.method == "OPTIONS":
            return NO_CONTENT
        operation = match.operation_for(request)
        call = await self._authenticate(request, operation, match.names)
        if operation.method == "POST":
            return await self._send(request, call)
        return await self._download(request, call)

    async def _authenticate(
        self, request: Request, operation: Operation, names: dict[str, str]
    ) -> Call[Any]:
        address = self._client_addresses.address_of(request)
        caller = await self._authentication.authenticate(request.block, address)
        request.caller = caller
        request.exchange.assign_account(caller.account_sid, caller.identity or "")
        resource = Edge.resource_of(request.path)
        path = {}
        for name, raw in names.items():
            text = decode_path_segment(raw)
            if text is None:
                raise ApiError.not_found(resource)
            path[name] = text
        return Call(
            operation=operation,
            caller=caller,
            path=path,
            resource=resource,
            form={},
            scope=Scope(caller.account_sid),
        )

    async def _read(self, call: Call[Any]) -> Any:
        action = call.operation.spec.action
        return await self._store.read(
            lambda tx: action(tx, call), account_sid=call.scope.account_sid
        )

    # --- Media --------------------------------------------------------------------------------

    async def _download(self, request: Request, call: Call[Any]) -> Response:
        self._admission.enter(call.caller.account_sid, call.caller.identity)
        try:
            found = await self._read(call)
        finally:
            self._admission.leave(call.caller.account_sid, call.caller.identity)
        medium = Media(
            account_sid=found.account_sid,
            service_sid="",
            sid=found.sid,
            message_sid=found.message_sid,
            size=found.size,
            content_type=found.content_type,
            filename=found.filename,
            category="media",
            author=None,
            content=None,
            date_created=0,
            date_updated=0,
        )
        response = await self._downloads.respond(request, medium, "")
        if response is None:
            raise call.not_found()
        return response

    # --- Messages -----------------------------------------------------------------------------

    async def _send(self, request: Request, call: Call[Any]) -> Response:
        account_sid, address = call.scope.account_sid, call.path["Address"]
        await self._read(call)
        parsed = parse_address(address)
        assert parsed is not None, "the action has checked it"
        file_limits = FileLimits(*virtual_phone_submissions.media_bytes_max(parsed.type))
        transfer = self._transfers.enter(account_sid, call.caller.identity)
        reader = PhoneFormReader(account_sid, self._copies, transfer, file_limits)
        try:
            transfer.on_cut = request.exchange.abort
            form = await reader.read(request)
            transfer.on_cut = None
            submission = await self._submission(call, reader, form, file_limits)
            message = await self._pass_on(account_sid, submission)
        except BaseException:  # Cancellation included: no blob without a row stays.
            # Without the store the sweep of media decides later.
            with contextlib.suppress(Busy, Unavailable):
                await self._discard_unstored(call, reader)
            raise
        finally:
            self._transfers.leave(transfer)
        root_url = self._roots.of(request) + "/v1"
        view = View(root_url, root_url, shows_service=False)
        return Response(call.operation.spec.status, encode(call.operation.represent(message, view)))

    async def _submission(
        self,
        call: Call[Any],
        reader: PhoneFormReader,
        form: dict[str, list[str]],
        file_limits: FileLimits,
    ) -> PhoneSubmission:
        """Return the checked message, with media at URLs fetched. Raises ApiError."""
        given = CreateVirtualPhoneMessage.parse(form).given()
        urls = given.get("media_urls", [])
        if len(reader.media) + len(urls) > limits.VIRTUAL_PHONE_MEDIA_MAX:
            most = limits.VIRTUAL_PHONE_MEDIA_MAX
            raise ApiError(20001, f"A message has {most} media at most.")
        submission = PhoneSubmission(
            sender=call.path["Address"],
            receivers=tuple(normalise_address(each) for each in given["receivers"]),
            body=given.get("body"),
            media=tuple(reader.media),
            profile_name=given.get("profile_name"),
        )
        virtual_phone_submissions.check_submission(submission, has_media_urls=bool(urls))
        for each in urls:
            async with self._in_memory:
                await self._fetch(call.scope.account_sid, each, reader, file_limits)
        return virtual_phone_submissions.with_media(submission, reader.media)

    async def _fetch(
        self, account_sid: str, url: str, reader: PhoneFormReader, file_limits: FileLimits
    ) -> None:
        """Write a medium at a URL. Raises 20001 if it cannot be fetched, 413 if it is too large."""
        try:
            response = await self._egress.send(
                OutboundRequest(
                    method="GET",
                    url=prepare_url(url),
                    headers={},
                    timeout_ms=limits.MEDIA_URL_FETCH_SECONDS_MAX * 1000,
                    read_bytes_max=file_limits.of_file_max + 1,
                    account_sid=account_sid,
                    is_caller_waiting=True,
                )
            )
        except (EgressRefused, EgressFailed) as error:
            raise ApiError(20001, f"MediaUrl cannot be fetched: {error}") from error
        if response.status != 200:
            raise ApiError(20001, f"MediaUrl cannot be fetched: status {response.status}.")
        content = response.body_start
        require_media_size(len(content), file_limits.of_file_max)
        size = sum(each.size for each in reader.media) + len(content)
        require_media_size(size, file_limits.of_all_max)
        kind = media_headers.parse_type(response.header("content-type"))
        last = unquote(urlsplit(url).path.rpartition("/")[2], errors="replace")
        name = media_headers.parse_file_name(last[: limits.MEDIA_FILENAME_CHARS_MAX])
        reader.media.append(await self._copies.write_bytes(account_sid, content, kind, name))

    async def _pass_on(self, account_sid: str, submission: PhoneSubmission) -> VirtualPhoneMessage:
        if not submission.media:
            return await self._sender.send(account_sid, submission)
        async with self._in_memory:
            return await self._sender.send(account_sid, submission)

    async def _discard_unstored(self, call: Call[Any], reader: PhoneFormReader) -> None:
        """Remove the files that no message has."""
        account_sid = call.scope.account_sid
        stored = await self._store.read(
            lambda tx: virtual_phone_submissions.stored_media(tx, call.scope, reader.media),
            account_sid=account_sid,
        )
        unstored = [each for each in reader.media if each.sid not in stored]
        await self._copies.discard(account_sid, unstored)
