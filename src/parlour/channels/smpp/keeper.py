"""Keeps one link open: connects, binds, and does so again after a delay."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import msgspec
import structlog

from parlour.channels.carrier import LinkState
from parlour.channels.smpp import pdus
from parlour.channels.smpp.link import LinkFailed, SmppLink
from parlour.vocabulary import limits
from parlour.vocabulary.failure_log import failures_logged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.channels.smpp.carrier import SmppOptions
    from parlour.channels.smpp.link import PendingDelivery
    from parlour.vocabulary.clock import Random

log = structlog.get_logger()

_KIND_NAMES = {
    pdus.BIND_TRANSCEIVER: "transceiver",
    pdus.BIND_TRANSMITTER: "transmitter",
    pdus.BIND_RECEIVER: "receiver",
}


class LinkTarget(msgspec.Struct, frozen=True):
    """Where a link leads, and what kind of session it opens."""

    host: str
    port: int
    kind: int
    number: int

    @property
    def name(self) -> str:
        """The name of the link in logs and metrics."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}/{_KIND_NAMES[self.kind]}/{self.number}"


async def open_link(
    target: LinkTarget, options: SmppOptions, deliver: Callable[[PendingDelivery], Awaitable[None]]
) -> SmppLink:
    """Return a link with a session. Raises LinkFailed."""
    loop = asyncio.get_running_loop()
    try:
        tls = make_tls_context(options) if options.tls else None
        async with asyncio.timeout(limits.SMPP_CONNECT_SECONDS_MAX):
            _, link = await loop.create_connection(
                lambda: SmppLink(target.kind, options, deliver),
                target.host,
                target.port,
                ssl=tls,
                server_hostname=(options.tls_server_name or target.host) if tls else None,
            )
    except TimeoutError:
        raise LinkFailed("the connection timed out") from None
    except OSError as error:
        raise LinkFailed(str(error) or repr(error)) from None
    try:
        await link.bind()
    except asyncio.CancelledError:
        link.abort("stopped")
        raise
    return link


def make_tls_context(options: SmppOptions) -> ssl.SSLContext:
    """Return the TLS context of the options. Raises OSError for a file that is no authority."""
    context = ssl.create_default_context(cafile=options.tls_ca_file or None)
    if not options.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def reconnect_delay(failures: int, fraction: float) -> float:
    """Return the seconds before a link is opened again: a bound that doubles, half of it jitter.

    Several links, or several nodes, must not reconnect at the same time. ``fraction`` is random.
    """
    doublings = min(failures, limits.SMPP_RECONNECT_SECONDS_MAX.bit_length())
    bound = min(limits.SMPP_RECONNECT_SECONDS_MIN << doublings, limits.SMPP_RECONNECT_SECONDS_MAX)
    return bound * (0.5 + fraction / 2)


class LinkKeeper:
    """One configured link of a carrier."""

    def __init__(
        self,
        target: LinkTarget,
        options: SmppOptions,
        deliver: Callable[[PendingDelivery], Awaitable[None]],
        *,
        carrier: str,
        random: Random,
    ) -> None:
        self._target = target
        self._options = options
        self._deliver = deliver
        self._random = random
        self._log = log.bind(carrier=carrier, link=target.name)
        self._task: asyncio.Task[None] | None = None
        self._detail = "not started"
        self.link: SmppLink | None = None

    def state(self) -> LinkState:
        """Return the state of the link."""
        is_up = self.link is not None and self.link.is_bound
        return LinkState(self._target.name, is_up, "" if is_up else self._detail)

    def start(self) -> None:
        """Open the link, now and after each loss."""
        if self._task is None:
            self._detail = "connecting"
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Close the link, for good."""
        task, self._task = self._task, None
        link, self.link = self.link, None
        if link is not None:
            await link.unbind()
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._detail = "stopped"

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:  # Ends with the coroutine.
            started = loop.time()
            with failures_logged("smpp_link_failed", link=self._target.name):
                await self._hold()
            if loop.time() - started > limits.SMPP_RECONNECT_SECONDS_MAX:
                failures = 0
            await asyncio.sleep(reconnect_delay(failures, self._random.fraction()))
            failures += 1

    async def _hold(self) -> None:
        """Open the link, and return once it is closed."""
        try:
            link = await open_link(self._target, self._options, self._deliver)
        except LinkFailed as error:
            self._detail = str(error)
            self._log.warning("smpp_bind_failed", reason=self._detail)
            return
        self.link = link
        self._log.info("smpp_link_bound")
        try:
            self._detail = await link.closed
        finally:
            self.link = None
            link.abort("stopped")
        if self._task is not None:
            self._log.warning("smpp_link_lost", reason=self._detail)
