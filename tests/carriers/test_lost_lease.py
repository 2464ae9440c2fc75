"""A carrier whose node lost the lease while a message waited inside ``send`` writes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from parlour.channels.carrier import CarrierUnavailable
from parlour.channels.email.carrier import EmailCarrier
from parlour.channels.email.options import EmailOptions
from parlour.channels.http_provider import carrier as http_provider
from parlour.channels.kannel import carrier as kannel
from parlour.channels.whatsapp import carrier as whatsapp
from parlour.egress.client import Egress
from tests.carriers import (
    email_setup,
    http_carrier_setup,
    test_http_provider_requests,
    test_kannel_mapping,
    whatsapp_setup,
)
from tests.security.scripted_receiver import NEARBY, ScriptedReceiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.channels.carrier import CarrierType, OutboundMessage


@pytest.mark.parametrize(
    ("carrier_type", "options", "message"),
    [
        (
            http_provider.CARRIER_TYPE,
            test_http_provider_requests.make_options,
            http_carrier_setup.make_message(),
        ),
        (
            kannel.CARRIER_TYPE,
            test_kannel_mapping.make_options,
            http_carrier_setup.make_message(),
        ),
        (
            whatsapp.CARRIER_TYPE,
            whatsapp_setup.options_for,
            whatsapp_setup.whatsapp_message(),
        ),
    ],
    ids=["http", "kannel", "whatsapp"],
)
def test_carrier_over_http_sends_no_request_without_the_lease(
    carrier_type: CarrierType, options: Callable[[str], Any], message: OutboundMessage
) -> None:
    async def scenario() -> None:
        async with ScriptedReceiver() as receiver, Egress(NEARBY) as egress:
            context = replace(http_carrier_setup.make_context(egress), may_send=lambda: False)
            made = options(f"http://127.0.0.1:{receiver.port}")
            carrier = carrier_type.make("main", made, context)
            with pytest.raises(CarrierUnavailable, match="lease"):
                await carrier.send(message)
            assert receiver.heads == []
            assert all(each.is_up for each in carrier.links())

    asyncio.run(scenario())


def test_relay_gets_no_content_without_the_lease() -> None:
    async def scenario() -> None:
        async with email_setup.mail_peer() as peer:
            context = email_setup.make_context(email_setup.MailSink(), {})
            options = EmailOptions(
                domains=["example.com"],
                smtp_host="127.0.0.1",
                smtp_port=peer.port,
                smtp_tls="none",
            )
            carrier = EmailCarrier("mail", options, replace(context, may_send=lambda: False))
            with pytest.raises(CarrierUnavailable, match="lease"):
                await carrier.send(email_setup.make_mail("alice@customer.example"))
            assert peer.waiting("mail") == []

    asyncio.run(scenario())
