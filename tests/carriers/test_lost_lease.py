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
from parlour.egress.client import Egress, connect_directly
from parlour.vocabulary import limits
from tests.carriers import (
    email_setup,
    http_carrier_setup,
    test_http_provider_requests,
    test_kannel_mapping,
    whatsapp_setup,
)
from tests.carriers.test_whatsapp_carrier import picture
from tests.security.scripted_receiver import NEARBY, ScriptedReceiver

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

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


class LeaseUntil:
    """A lease that is lost at a step, and the media of a carrier that have been read."""

    def __init__(self, step: str) -> None:
        self._lost_at = step
        self.is_held = True
        self.opened = 0

    def reach(self, step: str) -> None:
        """Lose the lease if this is its last step."""
        self.is_held = self.is_held and step != self._lost_at

    async def open_medium(self, _account_sid: str, _media_sid: str) -> AsyncIterator[bytes]:
        """Return a medium."""
        self.opened += 1

        async def read() -> AsyncIterator[bytes]:
            yield whatsapp_setup.PNG
            self.reach("read")

        return read()

    async def connect(
        self,
        factory: Callable[[], asyncio.Protocol],
        address: str,
        port: int,
        tls: ssl.SSLContext | None,
        server_name: str | None,
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """Connect as the client of outbound requests does."""
        connected = await connect_directly(factory, address, port, tls, server_name)
        self.reach("connect")
        return connected

    async def answer_upload(self, writer: asyncio.StreamWriter) -> None:
        """Send the response to an upload."""
        self.reach("answer")
        writer.write(http_carrier_setup.http_response(200, '{"id": "1"}'))


@pytest.mark.parametrize(
    ("step", "opened", "paths"),
    [
        ("start", 0, []),
        ("read", 1, []),
        ("connect", 1, []),
        ("answer", 1, ["media"]),
    ],
)
def test_whatsapp_medium_is_not_uploaded_once_the_lease_is_lost(
    step: str, opened: int, paths: list[str]
) -> None:
    async def scenario() -> None:
        lease = LeaseUntil(step)
        lease.reach("start")
        async with (
            ScriptedReceiver(lease.answer_upload) as receiver,
            Egress(NEARBY, connect=lease.connect) as egress,
        ):
            context = replace(
                http_carrier_setup.make_context(egress),
                may_send=lambda: lease.is_held,
                open_medium=lease.open_medium,
            )
            options = whatsapp_setup.options_for(f"http://127.0.0.1:{receiver.port}")
            carrier = whatsapp.CARRIER_TYPE.make("main", options, context)
            with pytest.raises(CarrierUnavailable, match="lease"):
                await carrier.send(whatsapp_setup.whatsapp_message(media=(picture(),)))
            assert [each.split()[1].rpartition("/")[2] for each in receiver.heads] == paths
            assert lease.opened == opened
            assert all(each.is_up for each in carrier.links())

    asyncio.run(scenario())


def test_whatsapp_medium_that_waited_for_other_uploads_is_not_read_without_the_lease() -> None:
    async def scenario() -> None:
        lease = LeaseUntil("lost")
        all_started, may_answer = asyncio.Barrier(limits.WHATSAPP_UPLOADS_MAX + 1), asyncio.Event()

        async def answer(writer: asyncio.StreamWriter) -> None:
            await all_started.wait()
            await may_answer.wait()
            await lease.answer_upload(writer)

        async with ScriptedReceiver(answer) as receiver, Egress(NEARBY) as egress:
            context = replace(
                http_carrier_setup.make_context(egress),
                may_send=lambda: lease.is_held,
                open_medium=lease.open_medium,
            )
            options = whatsapp_setup.options_for(f"http://127.0.0.1:{receiver.port}")
            carrier = whatsapp.CARRIER_TYPE.make("main", options, context)
            message = whatsapp_setup.whatsapp_message(media=(picture(),))
            sends = [
                asyncio.create_task(carrier.send(message))
                for _ in range(limits.WHATSAPP_UPLOADS_MAX + 1)
            ]
            await all_started.wait()
            lease.reach("lost")
            may_answer.set()
            results = await asyncio.gather(*sends, return_exceptions=True)
            assert all(isinstance(each, CarrierUnavailable) for each in results)
            assert len(receiver.heads) == limits.WHATSAPP_UPLOADS_MAX
            assert lease.opened == limits.WHATSAPP_UPLOADS_MAX

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
