"""Callbacks about unknown submissions get 200, and a log event names them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from structlog.testing import capture_logs

from parlour.channels.callbacks import Callbacks
from parlour.channels.http_provider.carrier import CARRIER_TYPE as HTTP_PROVIDER
from parlour.channels.kannel.carrier import CARRIER_TYPE as KANNEL
from parlour.channels.sink import ServerSink
from parlour.vocabulary import limits
from tests.carriers.graph_api import status_value, webhook
from tests.carriers.http_carrier_setup import REFERENCE, make_callback, make_carrier
from tests.carriers.test_http_provider_callbacks import make_options as http_provider_options
from tests.carriers.test_http_provider_callbacks import sign
from tests.carriers.test_kannel_mapping import TOKEN
from tests.carriers.test_kannel_mapping import make_options as kannel_options
from tests.carriers.whatsapp_setup import carrier_with, options_for, signed
from tests.unit.channels.outbox_setup import OutboxSetup

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.channels.carrier import CallbackRequest, Carrier

CARRIER = "main"
PARAMETERS = {"MessageSid": "SM-unknown", "MessageStatus": "undelivered", "ErrorCode": "30005"}


def http_provider_report(path: str = "status") -> CallbackRequest:
    unsigned = make_callback(path, urlencode(PARAMETERS).encode())
    signature = sign(unsigned.url, PARAMETERS)
    return make_callback(path, unsigned.body, x_twilio_signature=signature)


def kannel_report() -> CallbackRequest:
    query = urlencode({"token": TOKEN, "reference": REFERENCE, "type": "2", "reply": ""})
    return make_callback("report", query=query, method="GET")


def whatsapp_report() -> CallbackRequest:
    return signed(webhook(status_value("delivered", "wamid.unknown")))


def in_front_of(carrier: Carrier, outbox: OutboxSetup) -> Callbacks:
    """Return the callbacks of a carrier that reach the outbox only."""
    nothing: Any = None
    sink = ServerSink(CARRIER, nothing, outbox.reports, nothing)
    return Callbacks({CARRIER: carrier}, {CARRIER: sink}, outbox.clock)


@pytest.mark.parametrize(
    ("carrier", "request_", "named", "status"),
    [
        pytest.param(
            make_carrier(HTTP_PROVIDER, http_provider_options()),
            http_provider_report(),
            "SM-unknown",
            "undelivered",
            id="http-provider",
        ),
        pytest.param(
            make_carrier(HTTP_PROVIDER, http_provider_options()),
            http_provider_report(f"status/{REFERENCE}"),
            REFERENCE,
            "undelivered",
            id="http-provider with a reference",
        ),
        pytest.param(
            make_carrier(KANNEL, kannel_options()),
            kannel_report(),
            REFERENCE,
            "undelivered",
            id="kannel",
        ),
        pytest.param(
            carrier_with(None, options_for()),
            whatsapp_report(),
            "wamid.unknown",
            "delivered",
            id="whatsapp",
        ),
    ],
)
def test_a_report_about_an_unknown_submission_gets_200_and_is_logged(
    tmp_path: Path, carrier: Carrier, request_: CallbackRequest, named: str, status: str
) -> None:
    """At once, or after the time in which its submission may be recorded."""

    async def scenario(outbox: OutboxSetup) -> None:
        response = await in_front_of(carrier, outbox).receive(
            CARRIER,
            request_.path,
            method=request_.method,
            url=request_.url,
            query=request_.query,
            headers=request_.headers,
            body=request_.body,
        )
        assert response.status == 200
        outbox.clock.advance(limits.EARLY_REPORT_MS)
        await outbox.reports.job().run(outbox.store)

    async def run() -> None:
        outbox = OutboxSetup(tmp_path / "parlour.sqlite3")
        try:
            await scenario(outbox)
        finally:
            await outbox.store.close()
        assert outbox.metrics.reports[CARRIER, "unknown"] == 1

    with capture_logs() as logged:
        asyncio.run(run())
    (dropped,) = [each for each in logged if each["event"] == "delivery_report_dropped"]
    members = {name: dropped[name] for name in ("carrier", "named", "status", "log_level")}
    assert members == {
        "carrier": CARRIER, "named": named, "status": status, "log_level": "warning",
    }  # fmt: skip
