"""The carrier of a Kannel gateway: submits to its smsbox, and reads its callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.channels.carrier import CarrierUnavailable
from parlour.channels.http_link import MISCONFIGURED, HttpCarrier, shorten
from parlour.channels.kannel.callbacks import read_callback
from parlour.channels.kannel.options import (
    KannelOptions,
    check_callback_token,
    read_sendsms_url,
)
from parlour.channels.kannel.requests import build_query, read_response
from parlour.egress.client import OutboundRequest
from parlour.protocol import addresses
from parlour.protocol.signatures import prepare_url
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.channels.carrier import (
        Accepted,
        Callback,
        CallbackRequest,
        CarrierContext,
        LinkState,
        OutboundMessage,
        Rejected,
    )
    from parlour.egress.client import OutboundResponse

_NO_RECIPIENT: Final = 400


class Kannel(HttpCarrier):
    """One user of a Kannel gateway."""

    def __init__(self, name: str, settings: KannelOptions, context: CarrierContext) -> None:
        """Raises ValueError for options that do not fit together."""
        super().__init__(name, context, concurrency=settings.concurrency)
        self._options = settings
        self._url = read_sendsms_url(settings)
        check_callback_token(settings)

    async def send(self, message: OutboundMessage) -> Accepted | Rejected:
        """Submit a message, once. Raises CarrierUnavailable."""
        query = build_query(message, self._options, self._context.callback_url)
        if not isinstance(query, list):
            return query
        response = await self._request(query, message.account_sid)
        return read_response(response, self._context.clock.now_ms())

    async def read_callback(self, request: CallbackRequest) -> Callback:
        """Verify and parse a callback. Raises CallbackRefused."""
        return read_callback(request, self._options.callback_token)

    async def read_medium(self, location: str) -> bytes:
        """Raise CarrierUnavailable: inbound messages of Kannel have no media."""
        raise CarrierUnavailable(f"Kannel has no medium {location!r}")

    async def check(self) -> tuple[LinkState, ...]:
        """Submit a message without a recipient: Kannel checks the password, and sends nothing."""
        query = [("username", self._options.username), ("password", self._options.password)]
        try:
            response = await self._request([*query, ("text", "check")])
        except CarrierUnavailable:
            return self.links()
        if response.status != _NO_RECIPIENT and self._link.state.is_up:
            self._link.mark_down(f"unexpected status {response.status}")
        return self.links()

    async def _request(
        self, query: list[tuple[str, str]], account_sid: str = ""
    ) -> OutboundResponse:
        request = OutboundRequest(
            "GET",
            prepare_url(self._url.signed_url, query),
            {},
            timeout_ms=limits.CARRIER_REQUEST_MS_MAX,
            read_bytes_max=limits.CARRIER_RESPONSE_BYTES_MAX,
            account_sid=account_sid,
        )
        response = await self._link.submit(request)
        if response.status in MISCONFIGURED:
            self._link.mark_down(shorten(response.body_start.decode("utf-8", "replace")))
        return response


class KannelType:
    """The carrier type ``kannel``."""

    options = KannelOptions
    channels = frozenset({addresses.SMS})

    def make(self, name: str, options: Any, context: CarrierContext) -> Kannel:
        """Return a carrier. Raises ValueError for options that do not fit together."""
        return Kannel(name, options, context)


CARRIER_TYPE: Final = KannelType()
