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
from parlour.http.edge import Edge, idempotency_key
from parlour.http.messages import NO_CONTENT, Response, encode
from parlour.http.phone_forms import FileLimits, PhoneFormReader
from parlour.http.request_slots import release_slot, take_slot
from parlour.http.streams import require_media_size
from parlour.operations import access, idempotency
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
    from parlour.operations.audit import AuditTrail
    from parlour.operations.call import OperationResult
    from parlour.operations.caller import Caller
    from parlour.operations.operation import Operation
    from parlour.operations.transfers import Transfers
    from parlour.protocol.vault import Vault
    from parlour.resources.virtual_phones.media_copies import PhoneMediaCopies
    from parlour.resources.virtual_phones.message_store import VirtualPhoneMessage
    from parlour.store.transaction import Store, Transaction


class PhoneSender(Protocol):
    """Sends messages of phones (channels/virtual/sends.py)."""

    async def send(
        self, account_sid: str, submission: PhoneSubmission, response: StoredPhoneResponse | None
    ) -> VirtualPhoneMessage:
        """Send a checked message; return it with its outcome.

        ``response`` is stored with the message, if the request has an idempotency key.
        """
        ...


# The response that is stored for an idempotency key, in the transactions of the message:
#
#   the message is stored       of a message in progress: from now on a retry sends nothing
#   its outcome is recorded     the final one
#   no number has accepted it   none: a retry sends it again
class StoredPhoneResponse:
    """The response to one message under the idempotency key of its request."""

    def __init__(self, call: Call[Any], view: View) -> None:
        self._call = call
        self._view = view

    async def find(self, tx: Transaction) -> OperationResult | None:
        """Return the stored response. Raises 422 if it is of another request."""
        return await idempotency.find_stored(tx, self._call)

    async def begin(self, tx: Transaction, message: VirtualPhoneMessage) -> None:
        """Store the response for a new message. Raises 409 if another node was first."""
        if await self.find(tx) is not None:
            raise idempotency.in_progress()
        await self.record(tx, message)

    async def record(self, tx: Transaction, message: VirtualPhoneMessage) -> None:
        """Store the response for the state of the message."""
        status, body = self.of(message)
        await idempotency.store_response(tx, self._call, status, body)

    async def release(self, tx: Transaction) -> None:
        """Delete the stored response."""
        await idempotency.delete_stored(tx, self._call)

    def of(self, message: VirtualPhoneMessage) -> tuple[int, bytes]:
        """Return status and body for a message."""
        operation = self._call.operation
        return operation.spec.status, encode(operation.represent(message, self._view))


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
        vault: Vault,
        audit: AuditTrail,
    ) -> None:
        """``transfers`` are the slots of uploads: both kinds share them."""
        self._audit = audit
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
        self._vault = vault
        self._idempotency = idempotency.InFlight()
        # Files of a message are in memory while it is passed on.
        self._in_memory = asyncio.Semaphore(limits.VIRTUAL_PHONE_MEDIA_SENDS_MAX)

    async def respond(self, request: Request, match: EndpointMatch) -> Response:
        """Run the operation of the method, and return its response. Raises ApiError."""
        request.has_unread_body = request.method == "POST"
        if request.method == "OPTIONS":
            return NO_CONTENT
        operation = match.operation_for(request)
        call = await self._authenticate(request, operation, match.names)
        access.require_principal(operation, call.caller, call.resource)
        if operation.method == "POST":
            return await self._send(request, call)
        return await self._download(request, call)

    async def _authenticate(
        self, request: Request, operation: Operation, names: dict[str, str]
    ) -> Call[Any]:
        caller = request.caller = await self._caller(request)
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
            idempotency_key=idempotency_key(request) if operation.method == "POST" else None,
            scope=Scope(caller.account_sid),
            sealing=self._vault,
        )

    async def _caller(self, request: Request) -> Caller:
        if request.session is not None:
            return request.session.caller
        address = self._client_addresses.address_of(request)
        return await self._authentication.authenticate(request.block, address)

    async def _read(self, call: Call[Any]) -> Any:
        action = call.operation.spec.action
        return await self._store.read(
            lambda tx: action(tx, call), account_sid=call.scope.account_sid
        )

    # --- Media --------------------------------------------------------------------------------

    async def _download(self, request: Request, call: Call[Any]) -> Response:
        take_slot(request, call.caller, self._admission)
        action = call.operation.spec.action
        try:
            found = await self._audit.read(self._store, call, lambda tx: action(tx, call))
        finally:
            release_slot(request, self._admission)
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
        await self._audit.record_apart(self._store, call)
        parsed = parse_address(address)
        assert parsed is not None, "the action has checked it"
        file_limits = FileLimits(*virtual_phone_submissions.media_bytes_max(parsed.type))
        transfer = self._transfers.enter(account_sid, call.caller.identity)
        reader = PhoneFormReader(account_sid, self._copies, transfer, file_limits)
        root_url = self._roots.of(request) + "/v1"
        response = StoredPhoneResponse(call, View(root_url, root_url, shows_service=False))
        try:
            transfer.on_cut = request.exchange.abort
            call.form = await reader.read(request)
            transfer.on_cut = None
            return await self._send_once(call, reader, file_limits, response)
        except BaseException:  # Cancellation included: no blob without a row stays.
            # Without the store the sweep of media decides later.
            with contextlib.suppress(Busy, Unavailable):
                await self._discard_unstored(call, reader)
            raise
        finally:
            self._transfers.leave(transfer)

    async def _send_once(
        self,
        call: Call[Any],
        reader: PhoneFormReader,
        file_limits: FileLimits,
        response: StoredPhoneResponse,
    ) -> Response:
        """Send the message of a request, unless its idempotency key has a response already."""
        if call.idempotency_key is None:
            submission = await self._submission(call, reader, file_limits)
            return Response(*response.of(await self._pass_on(call, submission, None)))
        call.request_digest = idempotency.digest_of(call, reader.digests)
        async with self._idempotency.enter(call):
            stored = await self._store.read(response.find, account_sid=call.scope.account_sid)
            if stored is not None:
                assert stored.replayed is not None
                await self._copies.discard(call.scope.account_sid, reader.media)
                return Response(stored.status, stored.replayed)
            submission = await self._submission(call, reader, file_limits)
            return Response(*response.of(await self._pass_on(call, submission, response)))

    async def _submission(
        self, call: Call[Any], reader: PhoneFormReader, file_limits: FileLimits
    ) -> PhoneSubmission:
        """Return the checked message, with media at URLs fetched. Raises ApiError."""
        given = CreateVirtualPhoneMessage.parse(call.form).given()
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

    async def _pass_on(
        self, call: Call[Any], submission: PhoneSubmission, response: StoredPhoneResponse | None
    ) -> VirtualPhoneMessage:
        account_sid = call.scope.account_sid
        if not submission.media:
            return await self._sender.send(account_sid, submission, response)
        async with self._in_memory:
            return await self._sender.send(account_sid, submission, response)

    async def _discard_unstored(self, call: Call[Any], reader: PhoneFormReader) -> None:
        """Remove the files that no message has."""
        account_sid = call.scope.account_sid
        stored = await self._store.read(
            lambda tx: virtual_phone_submissions.stored_media(tx, call.scope, reader.media),
            account_sid=account_sid,
        )
        unstored = [each for each in reader.media if each.sid not in stored]
        await self._copies.discard(account_sid, unstored)
