"""The carrier of an HTTP provider: submits to its API, reads its callbacks and its media.

A medium's URL comes from outside. It is requested only from the host of ``base_url``, which gets
the credentials, and from the hosts that the operator lists, which do not: any other host could be
one of the internal network.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

from parlour.channels.carrier import CarrierUnavailable, Rejected
from parlour.channels.http_link import HttpCarrier, send_request
from parlour.channels.http_provider.callbacks import read_callback
from parlour.channels.http_provider.options import (
    HttpProviderOptions,
    check_idempotency_header,
    read_base_url,
    read_callback_key,
    read_credentials,
)
from parlour.channels.http_provider.requests import build_form, read_response
from parlour.egress.client import OutboundRequest
from parlour.protocol import addresses
from parlour.protocol.egress_policy import EgressRefused
from parlour.protocol.signatures import PreparedUrl, prepare_url, write_form
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.channels.carrier import (
        Accepted,
        Callback,
        CallbackRequest,
        CarrierContext,
        LinkState,
        OutboundMessage,
    )

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class HttpProvider(HttpCarrier):
    """One account of an HTTP provider."""

    def __init__(self, name: str, settings: HttpProviderOptions, context: CarrierContext) -> None:
        """Raises ValueError for options that do not fit together."""
        super().__init__(name, context, concurrency=settings.concurrency)
        self._options = settings
        self._account_url = read_base_url(settings)
        credentials = ":".join(read_credentials(settings)).encode()
        self._authorization = "Basic " + base64.b64encode(credentials).decode("ascii")
        self._key = read_callback_key(settings)
        check_idempotency_header(settings)

    async def send(self, message: OutboundMessage) -> Accepted | Rejected:
        """Submit a message, once. Raises CarrierUnavailable."""
        form = build_form(message, self._options, self._context.callback_url)
        if not isinstance(form, list):
            return form
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self._options.idempotency_header:
            headers[self._options.idempotency_header] = message.reference
        body = write_form(form).encode("ascii")
        response = await self._link.submit(
            self._request("POST", "/Messages.json", headers, body, message.account_sid)
        )
        return self._mark_link(read_response(response, self._options, self._context.clock.now_ms()))

    async def read_callback(self, request: CallbackRequest) -> Callback:
        """Verify and parse a callback. Raises CallbackRefused."""
        return read_callback(request, self._options, self._key)

    async def read_medium(self, location: str) -> bytes:
        """Return the bytes of an inbound medium. Raises CarrierUnavailable."""
        for _ in range(1 + limits.CARRIER_REDIRECTS_MAX):
            url = self._prepare_medium_url(location)
            headers = {"Authorization": self._authorization} if self._is_own(url) else {}
            request = OutboundRequest(
                "GET",
                url,
                headers,
                timeout_ms=limits.CARRIER_MEDIUM_MS_MAX,
                read_bytes_max=limits.INBOUND_MEDIA_BYTES_MAX,
            )
            response = await send_request(self._context.egress, request)
            target = response.header("location")
            if response.status in _REDIRECTS and target:
                location = urljoin(url.signed_url, target)
                continue
            if response.status != 200:
                raise CarrierUnavailable(f"the medium got status {response.status}")
            if response.is_truncated:
                raise CarrierUnavailable("the medium is too large")
            return response.body_start
        raise CarrierUnavailable("the medium was redirected too often")

    async def check(self) -> tuple[LinkState, ...]:
        """Fetch the account with the credentials."""
        try:
            response = await self._link.send(self._request("GET", ".json", {}))
        except CarrierUnavailable:
            return self.links()
        if response.status != 200:
            hint = ": check account_sid and auth_token" if response.status == 401 else ""
            self._link.mark_down(f"the account got status {response.status}{hint}")
        return self.links()

    def _request(
        self,
        method: str,
        suffix: str,
        headers: dict[str, str],
        body: bytes = b"",
        account_sid: str = "",
    ) -> OutboundRequest:
        return OutboundRequest(
            method,
            prepare_url(self._account_url.signed_url + suffix),
            {"Authorization": self._authorization, "Accept": "application/json", **headers},
            body,
            timeout_ms=limits.CARRIER_REQUEST_MS_MAX,
            read_bytes_max=limits.CARRIER_RESPONSE_BYTES_MAX,
            account_sid=account_sid,
        )

    def _prepare_medium_url(self, location: str) -> PreparedUrl:
        try:
            url = prepare_url(location)
        except EgressRefused as error:
            raise CarrierUnavailable(f"the medium's URL: {error.reason}") from error
        is_listed = url.scheme in {"https", self._account_url.scheme} and (
            url.host_header.lower() in self._options.media_hosts
        )
        if url.credentials is not None or not (is_listed or self._is_own(url)):
            raise CarrierUnavailable(f"the medium is at {url.host_header}, not in media_hosts")
        return url

    def _is_own(self, url: PreparedUrl) -> bool:
        own = self._account_url
        return (url.scheme, url.host.name, url.port) == (own.scheme, own.host.name, own.port)


class HttpProviderType:
    """The carrier type ``http-provider``."""

    options = HttpProviderOptions
    channels = frozenset({addresses.SMS, addresses.WHATSAPP, addresses.MESSENGER, addresses.RCS})

    def make(self, name: str, options: Any, context: CarrierContext) -> HttpProvider:
        """Return a carrier. Raises ValueError for options that do not fit together."""
        return HttpProvider(name, options, context)


CARRIER_TYPE: Final = HttpProviderType()
