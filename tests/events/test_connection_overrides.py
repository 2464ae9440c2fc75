"""Connection overrides, with and without the operator's permission."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from parlour.protocol import connection_overrides
from tests.events.in_process_server import ALICE, InProcessServer
from tests.events.webhook_backend import WebhookBackend, WebhookRequest, respond_with

if TYPE_CHECKING:
    from pathlib import Path


async def received(
    folder: Path, fragment: str, status: int, *, is_on: bool
) -> list[WebhookRequest]:
    """Return the webhook's requests for one message, with this fragment in its URL."""
    settings = {"webhook_overrides": is_on, "webhook_retries": "hosted"}
    async with WebhookBackend() as backend, InProcessServer(folder, **settings) as instance:
        sid = (await instance.do("CreateConversation")).sid
        await instance.attach(sid, Url=backend.url(f"/s{fragment}"), Filters="onMessageAdded")
        backend.responders["/s"] = respond_with(status)
        await instance.send_message(sid, "said", ALICE)
        await instance.wait_until_idle()
        return backend.requests


@pytest.mark.parametrize(
    ("fragment", "status", "is_on", "counts"),
    [
        ("#rc=2&rp=5xx", 500, True, ["0", "1", "2"]),
        ("#rc=2&rp=5xx", 404, True, ["0"]),
        ("#rc=1&rp=4xx", 404, True, ["0", "1"]),
        ("#rp=all", 500, True, ["0"]),
        ("#rc=2&rp=5xx", 500, False, ["0"]),
        ("#section", 500, True, ["0"]),
    ],
)
def test_retries_are_those_of_the_fragment_where_it_counts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fragment: str,
    status: int,
    is_on: bool,
    counts: list[str],
) -> None:
    monkeypatch.setattr(connection_overrides, "_DELAY_MS", 10)
    found = asyncio.run(received(tmp_path / "data", fragment, status, is_on=is_on))
    assert [each.values["RetryCount"] for each in found] == counts
    assert {each.target for each in found} == {"/s"}
    assert len({each.headers["i-twilio-idempotency-token"] for each in found}) == 1
