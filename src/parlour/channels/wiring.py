"""The carriers of one node, and their parts of the server: sinks, callbacks, media, egress."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from parlour.channels import number_table
from parlour.channels.callbacks import Callbacks
from parlour.channels.carrier import CarrierContext, CarrierUnavailable
from parlour.channels.sink import ServerSink
from parlour.egress.client import Egress, EgressPolicy
from parlour.store.blobs import BlobKey
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from parlour.channels.carrier import Carrier, VirtualPhones
    from parlour.channels.carriers_file import CarrierSettings
    from parlour.channels.sink import InboundAcceptor, ReportRecorder
    from parlour.store.blobs import BlobReader, BlobStore
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random

CALLBACK_FOLDER: Final = "/parlour/v1/Carriers"


def callback_url(public_url: str, carrier_name: str) -> str:
    """Return the public URL of a carrier's callbacks; empty without a public URL."""
    root = public_url.rstrip("/")
    return f"{root}{CALLBACK_FOLDER}/{carrier_name}" if root else ""


def operator_egress() -> Egress:
    """Return a client for addresses that the operator named: private ones are allowed."""
    policy = EgressPolicy(allow_private=True)
    return Egress(policy, per_target_max=limits.CARRIER_REQUESTS_PER_TARGET_MAX)


def media_opener(blobs: BlobStore) -> Callable[[str, str], Awaitable[AsyncIterator[bytes]]]:
    """Return the function that opens a medium of a message for a carrier.

    It takes the SIDs of account and medium. Raises CarrierUnavailable for a deleted medium.
    """

    async def open_medium(account_sid: str, media_sid: str) -> AsyncIterator[bytes]:
        blob = await blobs.open(BlobKey(account_sid, media_sid))
        if blob is None:
            raise CarrierUnavailable(f"the medium {media_sid} does not exist any more")
        return _pieces(blob)

    return open_medium


async def _pieces(blob: BlobReader) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(blob.pieces(0, blob.size)) as parts:
            async for part in parts:
                yield part
    finally:
        await blob.close()


class CarrierSet:
    """All configured carriers of a node. Each has its own egress, so that none waits for another's.

    The carriers are started by the owner of their lease; callbacks are received on every node.
    """

    def __init__(
        self,
        settings: CarrierSettings,
        *,
        inbound: InboundAcceptor,
        reports: ReportRecorder,
        phones: VirtualPhones | None,
        blobs: BlobStore,
        clock: Clock,
        random: Random,
        public_url: str,
        make_egress: Callable[[], Egress] = operator_egress,
    ) -> None:
        """Make the carriers, without I/O. Raises CarriersFileError."""
        self.settings = settings
        self._egresses: list[Egress] = []
        self.sinks = {name: ServerSink(name, inbound, reports) for name in settings.carriers}
        self.carriers: dict[str, Carrier] = {}
        open_medium = media_opener(blobs)
        for name, configured in settings.carriers.items():
            egress = make_egress()
            self._egresses.append(egress)
            context = CarrierContext(
                sink=self.sinks[name],
                egress=egress,
                clock=clock,
                random=random,
                callback_url=callback_url(public_url, name),
                open_medium=open_medium,
                phones=phones,
            )
            self.carriers[name] = configured.make(context)
        self.callbacks = Callbacks(self.carriers, self.sinks)

    async def publish(self, store: Store) -> None:
        """Copy the routes and numbers to the database."""
        await number_table.publish(store, self.settings)

    async def close(self) -> None:
        """Close the connections of all carriers, after they were stopped."""
        for egress in self._egresses:
            await egress.close()
