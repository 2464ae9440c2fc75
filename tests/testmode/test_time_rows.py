"""Each row of the table "what follows which time": the steered clock, or real time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest

from parlour.channels.carrier import Rejected
from parlour.protocol import media_urls
from parlour.realtime.typing_limiter import TypingLimiter
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.testmode.clock.advance import due_times
from parlour.testmode.clock.clock_control import AdvanceOrder
from parlour.testmode.clock.steered_clock import ClockMode
from parlour.vocabulary import limits
from tests.events.in_process_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    WITH_HEADER,
    InProcessServer,
)
from tests.events.webhook_backend import OK, WebhookBackend, respond_with
from tests.support.in_process_api import InProcessApi, listening
from tests.testmode.test_settlement import mode_of, settle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.webhook_backend import WebhookRequest

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
OWN, PHONE = "+15551230000", "+15550001111"
WHATSAPP_WINDOW_ENDED = 63016


class SteeredScene:
    """A server whose clock is frozen three days ahead, with webhooks."""

    def __init__(self, server: InProcessServer, backend: WebhookBackend) -> None:
        self.server = server
        self.backend = backend
        self.mode = mode_of(server)
        self.api = InProcessApi(server.app.server, ACCOUNT_SID, AUTH_TOKEN)

    @property
    def now_ms(self) -> int:
        """The date that the clock shows."""
        return self.mode.clock.now_ms()

    async def begin(self) -> None:
        """Freeze the clock at a whole second, and enable webhooks."""
        at_ms = (self.now_ms + 3 * DAY_MS) // SECOND_MS * SECOND_MS
        await self.mode.clock_control.set_mode(ClockMode.FROZEN, at_ms)
        await self.server.enable_webhooks(self.backend, PreWebhookUrl="")

    async def advance(self, by_ms: int) -> None:
        """Advance the clock."""
        result = await self.mode.clock_control.advance(AdvanceOrder(self.now_ms + by_ms))
        assert result.settled, result.waiting_for

    async def settle(self) -> None:
        """Wait for the end of all work."""
        result = await settle(self.server)
        assert result.settled, result.waiting_for

    async def converse(self, address: str = PHONE, own: str = OWN) -> str:
        """Return the SID of a conversation with a virtual phone."""
        made = await self.server.do("CreateConversation")
        binding = {"MessagingBinding.Address": address, "MessagingBinding.ProxyAddress": own}
        await self.server.do("CreateConversationParticipant", binding, ConversationSid=made.sid)
        return str(made.sid)

    async def rows(self, sql: str) -> list[Any]:
        """Return rows of the database."""
        return await self.server.store.read(lambda tx: tx.all(sql))

    async def due(self) -> dict[str, int]:
        """Return the kinds of work that are due next, and how long after now."""
        found = await due_times(self.mode.handles, self.mode.clock)
        return {each.what: each.at_ms - self.now_ms for each in found}


# --- The clock ------------------------------------------------------------------------------


async def dates_of_responses(scene: SteeredScene) -> None:
    made = (await scene.api.post("/v1/Conversations")).expect(201)
    assert datetime.fromisoformat(made["date_created"]).timestamp() * 1000 == scene.now_ms


async def dates_of_webhooks_and_events(scene: SteeredScene) -> None:
    await scene.server.do("CreateConversation", origin=WITH_HEADER)
    await scene.settle()
    [request] = scene.backend.requests
    assert datetime.fromisoformat(request.values["DateCreated"]).timestamp() * 1000 == scene.now_ms
    [(date_ms,)] = await scene.rows("SELECT date_ms FROM event ORDER BY sequence DESC LIMIT 1")
    assert date_ms == scene.now_ms


async def receipts(scene: SteeredScene) -> None:
    sid = await scene.converse()
    await scene.server.send_message(sid, "hello")
    await scene.settle()
    assert await scene.rows("SELECT status, date_updated FROM receipt") == [
        ("delivered", scene.now_ms)
    ]


async def order_of_sids(scene: SteeredScene) -> None:
    await scene.server.do("CreateConversation", origin=WITH_HEADER)
    await scene.settle()
    [(sid,)] = await scene.rows("SELECT sid FROM webhook_attempt")
    first = webhook_attempt_store.attempt_sid_at(scene.now_ms)
    assert first <= sid < webhook_attempt_store.attempt_sid_at(scene.now_ms + SECOND_MS)


async def timers(scene: SteeredScene) -> None:
    await scene.server.do("CreateConversation", {"Timers.Inactive": "PT1M"})
    assert (await scene.due())["timers"] == MINUTE_MS
    await scene.advance(MINUTE_MS)
    assert await scene.rows("SELECT state FROM conversation") == [("inactive",)]


async def webhook_retries(scene: SteeredScene) -> None:
    scene.backend.responders["/post"] = respond_with(503)
    await scene.server.do("CreateConversation", origin=WITH_HEADER)
    await scene.settle()
    assert SECOND_MS <= (await scene.due())["webhooks"] <= 2 * SECOND_MS
    await scene.advance(2 * SECOND_MS)
    assert len(scene.backend.requests) == 2


async def dates_of_retry_after(scene: SteeredScene) -> None:
    at = datetime.fromtimestamp(scene.now_ms / 1000, UTC).replace(microsecond=0)
    later = at.fromtimestamp(at.timestamp() + 3600, UTC)
    header = f"Retry-After: {format_datetime(later, usegmt=True)}"
    scene.backend.responders["/post"] = respond_with(503, "", header)
    await scene.server.do("CreateConversation", origin=WITH_HEADER)
    await scene.settle()
    assert HOUR_MS <= (await scene.due())["webhooks"] <= 1.2 * HOUR_MS


async def carrier_retries(scene: SteeredScene) -> None:
    sid = await scene.converse()
    carrier: Any = scene.server.app.channels.carriers["virtual"]
    send = carrier.send

    async def refuse(_message: Any) -> Rejected:
        return Rejected(30001, "busy", retry_after_seconds=600)

    carrier.send = refuse
    await scene.server.send_message(sid, "hello")
    await scene.settle()
    assert 10 * MINUTE_MS <= (await scene.due())["carriers"] <= 12 * MINUTE_MS
    carrier.send = send
    await scene.advance(12 * MINUTE_MS)
    assert await scene.rows("SELECT status FROM receipt") == [("delivered",)]


async def whatsapp_window(scene: SteeredScene) -> None:
    phone, own = f"whatsapp:{PHONE}", f"whatsapp:{OWN}"
    sid = await scene.converse(phone, own)
    path = f"/parlour/v1/VirtualPhones/{phone}/Messages"
    (await scene.api.post(path, {"To": own, "Body": "hi"})).expect(201)
    await scene.advance(23 * HOUR_MS)
    await scene.server.send_message(sid, "in time")
    await scene.advance(2 * HOUR_MS)
    await scene.server.send_message(sid, "late")
    await scene.settle()
    found = await scene.rows("SELECT status, error_code FROM receipt ORDER BY sequence")
    assert found == [("delivered", 0), ("undelivered", WHATSAPP_WINDOW_ENDED)]


async def media_links(scene: SteeredScene) -> None:
    sid = "ME" + "0" * 32
    link = media_urls.new_link(scene.server.scope, sid, "", scene.now_ms)
    url = scene.server.app.media_urls.sign(link)
    assert (await scene.api.get(url)).status == 404
    await scene.advance(limits.MEDIA_URL_SECONDS * SECOND_MS)
    assert (await scene.api.get(url)).status == 403


async def idempotency_keys(scene: SteeredScene) -> None:
    async def create() -> str:
        form = b"FriendlyName=x"
        sent = await scene.api.send("POST", "/v1/Conversations", form, idempotency_key="k")
        return str(sent.expect(201)["sid"])

    first = await create()
    assert await create() == first
    await scene.advance(limits.IDEMPOTENCY_HOURS * HOUR_MS + SECOND_MS)
    assert await create() != first


async def unattached_media(scene: SteeredScene) -> None:
    path = f"/v1/Services/{scene.server.scope.service_sid}/Media"
    sent = await scene.api.send("POST", path, b"hello", content_type="text/plain")
    sent.expect(201)
    assert (await scene.due())["media"] == limits.MEDIA_UNATTACHED_MS
    await scene.advance(limits.MEDIA_UNATTACHED_MS)
    assert await scene.rows("SELECT sid FROM media") == []


# --- Real time ------------------------------------------------------------------------------


async def http_date(scene: SteeredScene) -> None:
    async with listening(scene.server.app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"date: ")
        value = (await reader.readuntil(b"\r\n")).decode().strip()
        writer.close()
    assert abs(parsedate_to_datetime(value).timestamp() - time.time()) < 60


async def elapsed_times_and_timeouts_of_requests(scene: SteeredScene) -> None:
    async def advance_first(_request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
        await scene.mode.clock_control.set_mode(ClockMode.FROZEN, scene.now_ms + DAY_MS)
        writer.write(OK)

    scene.backend.responders["/post"] = advance_first
    await scene.server.do("CreateConversation", origin=WITH_HEADER)
    await scene.settle()
    [(outcome, elapsed_ms)] = await scene.rows("SELECT outcome, elapsed_ms FROM webhook_attempt")
    assert outcome == "delivered"
    assert elapsed_ms < MINUTE_MS


async def typing(scene: SteeredScene) -> None:
    limiter = TypingLimiter(scene.mode.clock)
    assert limiter.is_due("alice", "CH1")
    await scene.advance(HOUR_MS)
    assert not limiter.is_due("alice", "CH1")


async def silence_of_sockets(scene: SteeredScene) -> None:
    before = scene.mode.clock.monotonic_ms()
    await scene.advance(DAY_MS)
    assert scene.mode.clock.monotonic_ms() - before < limits.SILENT_SECONDS_MAX * SECOND_MS


async def rate_limits(scene: SteeredScene) -> None:
    sid = (await scene.server.do("CreateConversation")).sid
    statuses = set()
    for _ in range(limits.ACTIONS_WINDOW_MS // SECOND_MS + 2):
        response = await scene.api.post(f"/v1/Conversations/{sid}/Messages", {"Body": "x"})
        statuses.add(response.status)
        await scene.advance(DAY_MS)
    assert statuses == {201, 429}


async def latencies_of_faults_and_of_the_emulation(scene: SteeredScene) -> None:
    fault = {"Target": "request", "Operation": "ListUser", "DelayMs": "40"}
    (await scene.api.post("/parlour/v1/Faults", fault)).expect(201)
    (await scene.api.post("/parlour/v1/Emulation", {"LatencyMs": "40"})).expect(200)
    before = time.monotonic()
    (await scene.api.get("/v1/Users")).expect(200)
    assert time.monotonic() - before >= 0.08


# --- Both -----------------------------------------------------------------------------------


async def logins_are_forgotten_at_each_change(scene: SteeredScene) -> None:
    (await scene.api.get("/v1/Conversations")).expect(200)
    authentication = scene.server.app.authentication
    assert len(authentication._proven) == 1
    await scene.advance(SECOND_MS)
    assert len(authentication._proven) == 0
    (await scene.api.get("/v1/Conversations")).expect(200)


async def signing_keys_are_forgotten_at_each_change(scene: SteeredScene) -> None:
    await scene.server.do("CreateConversation", origin=WITH_HEADER)
    await scene.settle()
    signer = scene.mode.handles.signer
    assert len(signer._known) == 1
    await scene.advance(SECOND_MS)
    assert len(signer._known) == 0


async def the_only_node_does_not_expire(scene: SteeredScene) -> None:
    assert "presence" not in await scene.due()
    await scene.mode.clock_control.set_mode(ClockMode.FROZEN, limits.CLOCK_DATE_MS_MAX - DAY_MS)
    await scene.settle()
    assert len(await scene.rows("SELECT name FROM node")) == 1


ROWS = (
    dates_of_responses,
    dates_of_webhooks_and_events,
    receipts,
    order_of_sids,
    timers,
    webhook_retries,
    dates_of_retry_after,
    carrier_retries,
    whatsapp_window,
    media_links,
    idempotency_keys,
    unattached_media,
    http_date,
    elapsed_times_and_timeouts_of_requests,
    typing,
    silence_of_sockets,
    rate_limits,
    latencies_of_faults_and_of_the_emulation,
    signing_keys_are_forgotten_at_each_change,
    logins_are_forgotten_at_each_change,
    the_only_node_does_not_expire,
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_each_row_of_the_table_follows_its_time(tmp_path: Path, row: Any) -> None:
    settings = {"actions_per_second": 1} if row is rate_limits else {}

    async def run() -> None:
        async with (
            WebhookBackend() as backend,
            InProcessServer(tmp_path, test=True, **settings) as server,
        ):
            scene = SteeredScene(server, backend)
            await scene.begin()
            await row(scene)

    asyncio.run(run())
