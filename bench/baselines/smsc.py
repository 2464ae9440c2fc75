"""An SMSC of `smpp34` in its own process: accepts everything, and sends the receipts it is asked.

Its argument is the port. It prints a line once it listens, and for each line that it reads the
number of accepted messages.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import smpp34


async def serve(port: int) -> None:
    """Run until the process ends."""
    server = smpp34.Server("127.0.0.1", port, inbound_capacity=4096)
    await server.start()
    print("listening", flush=True)
    sessions: dict[str, Any] = {}
    running: set[asyncio.Future[Any]] = set()
    accepted = 0

    def print_count() -> None:
        sys.stdin.readline()
        print(accepted, flush=True)

    asyncio.get_running_loop().add_reader(sys.stdin, print_count)
    while True:
        event: Any = await server.next()
        if isinstance(event, smpp34.Esme):
            sessions[event.session_id] = event
        elif isinstance(event, smpp34.Unbound):
            sessions.pop(event.session_id, None)
        else:
            accepted += 1
            message_id = f"{accepted:08x}"
            event.accept(message_id)
            if event.registered_delivery:
                session = sessions[event.session_id]
                sent = asyncio.ensure_future(
                    session.deliver_sm(
                        event.source_addr,
                        f"id:{message_id} stat:DELIVRD err:000 text:".encode(),
                        source_addr=event.destination_addr,
                        esm_class=4,
                    )
                )
                running.add(sent)
                sent.add_done_callback(running.discard)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
