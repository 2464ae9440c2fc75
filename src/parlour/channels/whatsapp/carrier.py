"""The carrier of the WhatsApp Cloud API.

The access token goes to the host of ``base_url``, and for the download of a medium to the hosts of
``media_hosts``: a URL comes from the API, but a response to a wrong host would leak the token.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.channels.carrier import CarrierUnavailable, LinkState, Rejected
from parlour.channels.http_link import HttpCarrier, send_request
from parlour.channels.whatsapp.callbacks import read_callback
from parlour.channels.whatsapp.error_codes import read_rejection
from parlour.channels.whatsapp.inbound import MEDIUM_ID
from parlour.channels.whatsapp.options import (
    OwnNumbers,
    WhatsappOptions,
    check_secrets,
    read_base_url,
)
from parlour.channels.whatsapp.requests import (
    MediumReference,
    build_message,
    decode_json,
    medium_to_send,
    read_response,
)
from parlour.channels.whatsapp.upload import build_upload
from parlour.egress.client import OutboundRequest
from parlour.protocol import addresses
from parlour.protocol.egress_policy import EgressRefused
from parlour.protocol.signatures import PreparedUrl, prepare_url
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.channels.carrier import (
        Accepted,
        Callback,
        CallbackRequest,
        CarrierContext,
        OutboundMedium,
        OutboundMessage,
    )
    from parlour.egress.client import OutboundResponse

_NO_SENDER: Final = 63007
_MEDIUM_TOO_LARGE: Final = 11751


class WhatsappCarrier(HttpCarrier):
    """The numbers of one WhatsApp business account."""

    def __init__(self, name: str, settings: WhatsappOptions, context: CarrierContext) -> None:
        """Raises ValueError for options that do not fit together."""
        check_secrets(settings)
        super().__init__(name, context, concurrency=settings.concurrency)
        self._options = settings
        self._numbers = OwnNumbers(settings)
        self._base_url = read_base_url(settings)
        self._uploads = asyncio.Semaphore(limits.WHATSAPP_UPLOADS_MAX)

    async def read_callback(self, request: CallbackRequest) -> Callback:
        """Verify and parse a webhook, or its registration. Raises CallbackRefused."""
        return read_callback(request, self._options, self._numbers)

    # --- Outbound -----------------------------------------------------------------------

    async def send(self, message: OutboundMessage) -> Accepted | Rejected:
        """Submit a message, once. Raises CarrierUnavailable."""
        number_id = self._numbers.ids.get(message.sender or "")
        if number_id is None:
            return Rejected(_NO_SENDER, f"{message.sender} is not in phone_numbers")
        medium = medium_to_send(message)
        reference = None
        if medium is not None:
            made = await self._refer_to(message, medium, number_id)
            if isinstance(made, Rejected):
                return made
            reference = made
        body = build_message(message, reference)
        if isinstance(body, Rejected):
            return body
        request = self._request(
            "POST",
            f"{number_id}/messages",
            msgspec.json.encode(body),
            account_sid=message.account_sid,
        )
        response = await self._link.submit(request)
        return self._mark_link(read_response(response, self._context.clock.now_ms()))

    async def _refer_to(
        self, message: OutboundMessage, medium: OutboundMedium, number_id: str
    ) -> MediumReference | Rejected:
        """Return a link to a medium, or upload it and return its id."""
        if self._options.media == "link" and medium.url:
            return MediumReference(medium, "link", medium.url)
        if medium.size > limits.WHATSAPP_UPLOAD_BYTES_MAX:
            return Rejected(_MEDIUM_TOO_LARGE, f"the medium has {medium.size} bytes")
        # Each upload is in memory as a whole.
        async with self._uploads:
            self._context.require_lease()  # It may have been lost while others uploaded.
            chunks = await self._context.open_medium(message.account_sid, medium.sid)
            content = b"".join([each async for each in chunks])
            content_type, body = build_upload(medium, content, self._context.random)
            request = self._request(
                "POST",
                f"{number_id}/media",
                body,
                content_type=content_type,
                timeout_ms=limits.CARRIER_MEDIUM_MS_MAX,
                account_sid=message.account_sid,
            )
            response = await self._link.submit(request)
        decoded = decode_json(response)
        found = decoded.get("id") if isinstance(decoded, dict) else None
        if response.status == 200 and isinstance(found, str) and found:
            return MediumReference(medium, "id", found)
        rejected = read_rejection(response, decoded, self._context.clock.now_ms())
        self._mark_link(rejected)
        return rejected

    # --- Inbound media ------------------------------------------------------------------

    async def read_medium(self, location: str) -> bytes:
        """Return the bytes of an inbound medium, by its id. Raises CarrierUnavailable."""
        if not MEDIUM_ID.fullmatch(location):
            raise CarrierUnavailable("the medium's id is malformed")
        response = await self._link.send(self._request("GET", location))
        found = decode_json(response)
        url = found.get("url") if isinstance(found, dict) else None
        if response.status != 200 or not isinstance(found, dict) or not isinstance(url, str):
            raise CarrierUnavailable(f"the medium's URL got status {response.status}")
        request = OutboundRequest(
            "GET",
            self._medium_url(url),
            self._headers(),
            timeout_ms=limits.CARRIER_MEDIUM_MS_MAX,
            read_bytes_max=limits.INBOUND_MEDIA_BYTES_MAX,
        )
        return _checked(await send_request(self._context.egress, request), found.get("sha256"))

    def _medium_url(self, location: str) -> PreparedUrl:
        """Return the URL of a medium, if its host may see the access token."""
        try:
            url = prepare_url(location)
        except EgressRefused as error:
            raise CarrierUnavailable(f"the medium's URL: {error.reason}") from error
        own = self._base_url
        is_own = (url.scheme, url.host.name, url.port) == (own.scheme, own.host.name, own.port)
        is_listed = url.scheme == "https" and url.host_header.lower() in self._options.media_hosts
        if url.credentials is not None or not (is_own or is_listed):
            raise CarrierUnavailable(f"the medium is at {url.host_header}, not in media_hosts")
        return url

    # --- Check --------------------------------------------------------------------------

    async def check(self) -> tuple[LinkState, ...]:
        """Fetch each number with the access token, and compare it with the options."""
        return tuple(
            [
                await self._check_number(address, number_id)
                for address, number_id in self._numbers.ids.items()
            ]
        )

    async def _check_number(self, address: str, number_id: str) -> LinkState:
        request = self._request("GET", f"{number_id}?fields=display_phone_number")
        try:
            response = await self._link.send(request)
        except CarrierUnavailable as error:
            return LinkState(address, is_up=False, detail=str(error))
        found = decode_json(response)
        shown = found.get("display_phone_number") if isinstance(found, dict) else None
        if response.status != 200 or not isinstance(shown, str):
            return LinkState(address, is_up=False, detail=f"status {response.status}")
        digits = "".join(each for each in shown if each.isdigit())
        is_same = address == f"{addresses.WHATSAPP}:+{digits}"
        return LinkState(address, is_same, "" if is_same else f"{number_id} is {shown}")

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._options.access_token}"}

    def _request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        content_type: str = "application/json",
        timeout_ms: int = limits.CARRIER_REQUEST_MS_MAX,
        account_sid: str = "",
    ) -> OutboundRequest:
        headers = self._headers() | {"Accept": "application/json"}
        if body:
            headers["Content-Type"] = content_type
        return OutboundRequest(
            method,
            prepare_url(f"{self._base_url.signed_url}/{path}"),
            headers,
            body,
            timeout_ms=timeout_ms,
            read_bytes_max=limits.CARRIER_RESPONSE_BYTES_MAX,
            account_sid=account_sid,
        )


def _checked(response: OutboundResponse, sha256: object) -> bytes:
    """Return the bytes of a downloaded medium. Raises CarrierUnavailable."""
    if response.status != 200:
        raise CarrierUnavailable(f"the medium got status {response.status}")
    if response.is_truncated:
        raise CarrierUnavailable("the medium is too large")
    content = response.body_start
    if isinstance(sha256, str) and hashlib.sha256(content).hexdigest() != sha256:
        raise CarrierUnavailable("the medium has another digest than announced")
    return content


class WhatsappType:
    """The carrier type ``whatsapp``."""

    options = WhatsappOptions
    channels = frozenset({addresses.WHATSAPP})

    def make(self, name: str, options: Any, context: CarrierContext) -> WhatsappCarrier:
        """Return a carrier. Raises ValueError for options that do not fit together."""
        return WhatsappCarrier(name, options, context)


CARRIER_TYPE: Final = WhatsappType()
