"""Wrong signatures of callbacks: throttled and logged within limits; genuine ones never wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from parlour.vocabulary import limits
from tests.security.test_carrier_callbacks import CallbackServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.in_process_requests import RecordedResponse

WRONG = "0" * 64


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CallbackServer]:
    made = CallbackServer(tmp_path / "data")
    yield made
    made.close()


def throttle(server: CallbackServer) -> None:
    for _ in range(limits.LOGIN_FAILURES_MAX):
        assert server.respond(content={"messages": ["forged"]}, signature=WRONG).status == 403


@pytest.mark.promise("CALLBACK_REFUSAL_DELAY_MS_MAX", 403)
def test_wrong_signatures_are_delayed_and_genuine_callbacks_of_the_peer_are_not(
    server: CallbackServer,
) -> None:
    throttle(server)

    async def run() -> list[RecordedResponse]:
        # More than the slots of the carrier: a delayed refusal holds none.
        delayed = [
            asyncio.create_task(server.send(content={"messages": ["forged"]}, signature=WRONG))
            for _ in range(limits.CARRIER_CALLBACKS_RUNNING_MAX + 1)
        ]
        await asyncio.sleep(0)
        genuine = await server.send(content={"messages": ["genuine"]})
        assert genuine.status == 202
        other_peer = await server.send(content={}, signature=WRONG, peer="192.0.2.2")
        other_carrier = await server.send("/second", content={}, signature=WRONG)
        assert (other_peer.status, other_carrier.status) == (403, 403)
        assert not any(each.done() for each in delayed)
        return await asyncio.gather(*delayed)

    assert {each.status for each in server.runner.run(run())} == {403}
    assert server.sink.stored == ["genuine"]


def test_genuine_callbacks_are_stored_though_no_slot_for_a_delay_is_free(
    server: CallbackServer,
) -> None:
    throttle(server)

    async def run() -> None:
        held = [
            asyncio.create_task(server.send(content={}, signature=WRONG))
            for _ in range(limits.LOGINS_HELD_PER_PAIR_MAX)
        ]
        await asyncio.sleep(0)
        assert (await server.send(content={}, signature=WRONG)).status == 403
        assert (await server.send(content={"messages": ["genuine"]})).status == 202
        assert not any(each.done() for each in held)
        await asyncio.gather(*held)

    server.runner.run(run())
    assert server.sink.stored == ["genuine"]


def test_refusals_beyond_the_limit_of_the_log_are_counted_in_a_later_line(
    server: CallbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send(number: int) -> None:
        await asyncio.gather(
            *(server.send(content={}, signature=WRONG, peer=f"192.0.2.{i}") for i in range(number))
        )

    with capture_logs() as logs:
        server.runner.run(send(limits.CALLBACK_REFUSALS_LOGGED_MAX + 30))
        # Each status has a separate limit.
        assert server.respond(body=b"{").status == 400
    assert [each.get("unlogged") for each in logs if each["event"] == "callback_refused"] == [
        *(None,) * limits.CALLBACK_REFUSALS_LOGGED_MAX,
        None,
    ]
    now_ms = server.app.clock.monotonic_ms()
    later_ms = now_ms + limits.CALLBACK_REFUSAL_LOG_MS
    monkeypatch.setattr(server.app.clock, "monotonic_ms", lambda: later_ms)
    with capture_logs() as logs:
        server.runner.run(send(1))
    (line,) = [each for each in logs if each["event"] == "callback_refused"]
    assert (line["status"], line["unlogged"]) == (403, 30)
