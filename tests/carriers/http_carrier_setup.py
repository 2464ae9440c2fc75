"""What the tests of carriers over HTTP share: a context, messages and callback requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from parlour.channels.carrier import CallbackRequest, CarrierContext
from parlour.egress.client import Egress
from parlour.vocabulary.clock import FakeClock
from tests.security.scripted_receiver import NEARBY, ScriptedReceiver
from tests.support.outbound_messages import outbound_message
from tests.support.zero_random import ZeroRandom

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from parlour.channels.carrier import (
        Carrier,
        CarrierType,
        DeliveryReport,
        InboundMessage,
        OutboundMessage,
    )

CALLBACK_URL = "https://chat.example.com/parlour/v1/Carriers/main"
REFERENCE = "SM" + "0" * 31 + "7"
PHONE = "+15558675310"
PROXY = "+15017122661"


class DiscardingSink:
    """A sink that no test of a pure parser should reach."""

    async def inbound(self, message: InboundMessage) -> None:
        raise AssertionError(message)

    async def report(self, report: DeliveryReport) -> None:
        raise AssertionError(report)


async def _no_medium(_account_sid: str, _media_sid: str) -> AsyncIterator[bytes]:
    raise AssertionError("carriers over HTTP send the URLs of media")


def make_context(egress: Egress, callback_url: str = CALLBACK_URL) -> CarrierContext:
    return CarrierContext(
        sink=DiscardingSink(),
        egress=egress,
        clock=FakeClock(),
        random=ZeroRandom(),
        callback_url=callback_url,
        open_medium=_no_medium,
    )


def make_message(**changes: Any) -> OutboundMessage:
    return outbound_message(**{"reference": REFERENCE, "sender": PROXY} | changes)


def make_callback(
    path: str,
    body: bytes = b"",
    *,
    query: str = "",
    method: str = "POST",
    base: str = CALLBACK_URL,
    **headers: str,
) -> CallbackRequest:
    """Return a callback; a header's underscores become hyphens."""
    url = f"{base}/{path}" + (f"?{query}" if query else "")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if method == "POST":
        named.setdefault("content-type", "application/x-www-form-urlencoded")
    assert urlsplit(url).query == query
    return CallbackRequest(method, path, url, query, named, body)


def http_response(status: int, body: str = "", **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    encoded = body.encode()
    head = "\r\n".join([f"HTTP/1.1 {status} X", *lines, f"Content-Length: {len(encoded)}"])
    return head.encode() + b"\r\n\r\n" + encoded


def make_carrier(carrier_type: CarrierType, options: Any) -> Any:
    """Return a carrier for what needs no outbound request."""
    no_egress: Any = None
    return carrier_type.make("main", options, make_context(no_egress))


def with_carrier(
    carrier_type: CarrierType,
    options: Callable[[str], Any],
    act: Callable[[Carrier], Coroutine[Any, Any, Any]],
    *script: Any,
) -> tuple[Any, ScriptedReceiver]:
    """Return the result of an act with a carrier whose API follows a script, and the API.

    ``options`` makes the carrier's options from the URL of the API, without a slash at its end.
    """

    async def run() -> tuple[Any, ScriptedReceiver]:
        async with ScriptedReceiver(*script) as receiver, Egress(NEARBY) as egress:
            base_url = f"http://127.0.0.1:{receiver.port}"
            carrier = carrier_type.make("main", options(base_url), make_context(egress))
            return await act(carrier), receiver

    return asyncio.run(run())
