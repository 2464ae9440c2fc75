"""Runs the server with a carrier of the test's own: a socket that takes messages as lines of JSON.

A message is acknowledged with a line once `accept` returned. ``PLANTED=acknowledge_first`` is the
fault that a test has to find.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os

from parlour.app import App
from parlour.channels.carrier import InboundMessage
from parlour.cli.main import main
from parlour.vocabulary import limits

limits.INBOX_CLAIM_MS = 500  # type: ignore[misc] # After a kill, claims end soon.

PLANTED = os.environ.get("PLANTED", "")


async def serve(app: App, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the messages of one connection."""
    # `drain` waits until the kernel has the acknowledgement: a crash follows at once.
    writer.transport.set_write_buffer_limits(0)
    with contextlib.suppress(ConnectionError):
        async for line in reader:
            given = json.loads(line)
            message = InboundMessage(channel="sms", group=(), **given)
            if PLANTED == "acknowledge_first":
                writer.write(b"ok\n")
                await writer.drain()
            account_sid = app.settings.account_sid
            await app.channels.inbound.accept("socket", message, account_sid=account_sid)
            if PLANTED != "acknowledge_first":
                writer.write(b"ok\n")
                await writer.drain()


start_app = App.start


async def start_with_carrier(app: App) -> None:
    """Start the server, then the carrier."""
    await start_app(app)
    await asyncio.start_server(
        lambda reader, writer: serve(app, reader, writer),
        "127.0.0.1",
        int(os.environ["CARRIER_PORT"]),
        reuse_address=True,
    )


App.start = start_with_carrier  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
