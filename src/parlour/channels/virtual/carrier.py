"""The virtual carrier: the built-in type that needs no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.channels.carrier import CallbackRefused, CarrierUnavailable, LinkState
from parlour.protocol import addresses
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.channels.carrier import (
        Accepted,
        Callback,
        CallbackRequest,
        CarrierContext,
        OutboundMessage,
        Rejected,
    )


class NoCarrierOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The virtual carrier has no options: each phone has its own behaviour."""


class PhoneCarrier:
    """Delivers to the virtual phones of the message's account."""

    concurrency = limits.VIRTUAL_CARRIER_CONCURRENCY

    def __init__(self, name: str, context: CarrierContext) -> None:
        assert context.phones is not None, "the server has no virtual phones"
        self._name = name
        self._context = context
        self._phones = context.phones

    async def start(self) -> None:
        """Do nothing: there is no link."""

    async def stop(self) -> None:
        """Do nothing, as above."""

    async def send(self, message: OutboundMessage) -> Accepted | Rejected:
        """Deliver a message to its phones. Raises CarrierUnavailable."""
        context = self._context
        return await self._phones.deliver(message, context.open_medium, context.sink.report)

    async def read_callback(self, request: CallbackRequest) -> Callback:
        """Refuse: phones send over the API."""
        del request
        raise CallbackRefused(404, "the virtual carrier has no callbacks")

    async def read_medium(self, location: str) -> bytes:
        """Refuse: inbound media come with their message."""
        raise CarrierUnavailable(f"the virtual carrier keeps no medium {location}")

    def links(self) -> tuple[LinkState, ...]:
        """Return one link, which is always up."""
        return (LinkState(self._name, is_up=True),)

    async def check(self) -> tuple[LinkState, ...]:
        """Return the same: there is no network."""
        return self.links()


class VirtualCarrierType:
    """The type ``virtual``."""

    options: type[msgspec.Struct] = NoCarrierOptions
    channels: Final = frozenset(
        {
            addresses.SMS,
            addresses.WHATSAPP,
            addresses.MESSENGER,
            addresses.RCS,
            addresses.GBM,
            addresses.APPLE,
            addresses.EMAIL,
        }
    )

    def make(self, name: str, options: Any, context: CarrierContext) -> PhoneCarrier:
        """Return a carrier; no I/O."""
        del options
        return PhoneCarrier(name, context)


CARRIER_TYPE: Final = VirtualCarrierType()
