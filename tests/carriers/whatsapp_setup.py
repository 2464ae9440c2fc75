"""What the tests of the WhatsApp carrier share: options, a carrier on the stand-in, pywa."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
from pywa import WhatsApp

from parlour.channels.carrier import CarrierContext
from parlour.channels.whatsapp.carrier import CARRIER_TYPE, WhatsappCarrier
from parlour.channels.whatsapp.options import WhatsappOptions
from parlour.egress.client import Egress
from parlour.vocabulary.clock import FakeClock
from tests.carriers.graph_api import (
    APP_SECRET,
    NUMBER_ID,
    TOKEN,
    VERIFY_TOKEN,
    GraphApi,
    signature,
)
from tests.carriers.http_carrier_setup import CALLBACK_URL, DiscardingSink, make_message
from tests.security.scripted_receiver import NEARBY
from tests.support.zero_random import ZeroRandom

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from parlour.channels.carrier import CallbackRequest, OutboundMessage

from parlour.channels.carrier import CallbackRequest as Request

OWN = "whatsapp:+15017122661"
PHONE = "whatsapp:+15558675310"
REFERENCE = "WA" + "0" * 31 + "7"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


def options_for(base_url: str = "https://graph.facebook.com", **changes: Any) -> WhatsappOptions:
    given: dict[str, Any] = {
        "phone_numbers": {"+15017122661": NUMBER_ID},
        "access_token": TOKEN,
        "app_secret": APP_SECRET,
        "verify_token": VERIFY_TOKEN,
        "base_url": base_url,
    }
    return WhatsappOptions(**given | changes)


async def _chunks(_account_sid: str, _media_sid: str) -> AsyncIterator[bytes]:
    async def read() -> AsyncIterator[bytes]:
        for start in range(0, len(PNG), 500):
            yield PNG[start : start + 500]

    return read()


def carrier_with(egress: Any, options: WhatsappOptions) -> WhatsappCarrier:
    context = CarrierContext(
        sink=DiscardingSink(),
        egress=egress,
        clock=FakeClock(),
        random=ZeroRandom(),
        callback_url=CALLBACK_URL,
        open_medium=_chunks,
    )
    return CARRIER_TYPE.make("main", options, context)


def on_stand_in(
    api: GraphApi, act: Callable[[WhatsappCarrier], Coroutine[Any, Any, Any]], **changes: Any
) -> Any:
    """Return the result of an act with a carrier whose API is the stand-in."""

    async def run() -> Any:
        async with Egress(NEARBY) as egress:
            return await act(
                carrier_with(egress, options_for(**{"base_url": api.base_url, **changes}))
            )

    return asyncio.run(run())


def whatsapp_message(**changes: Any) -> OutboundMessage:
    given = {"reference": REFERENCE, "channel": "whatsapp", "sender": OWN, "recipients": (PHONE,)}
    return make_message(**given | changes)


def signed(body: bytes, *, path: str = "webhook", secret: str = APP_SECRET) -> CallbackRequest:
    """Return a callback with the signature of its body."""
    headers = {"x-hub-signature-256": signature(body, secret)}
    return Request("POST", path, f"{CALLBACK_URL}/{path}", "", headers, body)


def pywa_client(api: GraphApi) -> WhatsApp:
    """Return pywa, with nothing changed but where its requests go."""
    target = httpx.URL(api.base_url)

    class Redirected(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            host = {"scheme": "http", "host": target.host, "port": target.port}
            request.url = request.url.copy_with(**host)
            return super().handle_request(request)

    return WhatsApp(
        phone_id=NUMBER_ID,
        token=TOKEN,
        session=httpx.Client(transport=Redirected()),
        app_secret=APP_SECRET,
        verify_token=VERIFY_TOKEN,
        server=None,
    )
