"""What carriers over HTTP share: the client that the server gives them."""

from __future__ import annotations

import asyncio

from parlour.channels.http_link import HttpLink
from parlour.channels.wiring import operator_egress
from parlour.egress.client import OutboundRequest
from parlour.protocol.signatures import prepare_url
from parlour.vocabulary import limits


def test_all_submissions_of_a_carrier_are_in_flight_at_once() -> None:
    count = limits.CARRIER_CONCURRENCY_MAX

    async def main() -> None:
        arrived = asyncio.Barrier(count)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await arrived.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=count)
        port = server.sockets[0].getsockname()[1]
        request = OutboundRequest(
            "GET", prepare_url(f"http://127.0.0.1:{port}/"), {}, account_sid="AC1"
        )
        async with server, operator_egress() as egress:
            link = HttpLink("main", egress)
            responses = await asyncio.gather(*(link.send(request) for _ in range(count)))
        assert [each.status for each in responses] == [200] * count

    asyncio.run(main())
