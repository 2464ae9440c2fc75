"""Requests that a fault delays occupy no slot of their account."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.testmode.rest_server import RestServer, in_server

if TYPE_CHECKING:
    from pathlib import Path

FAULTS = "/parlour/v1/Faults"
SLOTS = 2


def test_delayed_requests_block_no_other_request_of_their_account(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        account = server.first()
        for phase, path in (("before", "/v1/Users"), ("after", "/v1/Conversations")):
            made = await account.post(
                FAULTS, Target="request", Path=path, Phase=phase, DelayMs=60_000, Times=0
            )
            made.expect(201)
            held = [asyncio.create_task(account.get(path)) for _ in range(SLOTS)]
            while made.json["fired"] < SLOTS:
                made = await account.get(f"{FAULTS}/{made.json['sid']}")
                assert made.status == 200

            (await account.get("/v1/Services")).expect(200)
            assert (await account.delete(FAULTS)).status == 204

            assert [each.status for each in await asyncio.gather(*held)] == [503] * SLOTS

    in_server(tmp_path, scene, concurrent_requests_per_account_max=SLOTS)
