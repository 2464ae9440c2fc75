"""Ends of sessions: expiry, revocation and sign-out, on all nodes; and of their streams."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from parlour.resources.operators import actions as operator_actions
from parlour.vocabulary import limits
from tests.console.console_page import (
    SESSION,
    ConsolePage,
    api_of,
    run_scene,
    running,
    signed_in,
    two_nodes,
)
from tests.console.test_sign_in import OPERATOR_SID, SECRET, make_operator
from tests.events.in_process_server import ACCOUNT_SID, AUTH_TOKEN, poll_until
from tests.resources.test_frozen_clock import FrozenClock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer
    from tests.support.in_process_api import InProcessResponse

START_MS = 1_800_000_000_000
MINUTE_MS = 60_000
EVENTS = "/parlour/v1/Events"
STREAM: dict[bytes, bytes | None] = {b"accept": b"text/event-stream"}


async def is_live(page: ConsolePage) -> bool:
    """Return whether the session of a page can be used."""
    found = await page.call("GET", "/v1/Conversations")
    assert found.status in {200, 401}, found
    return found.status == 200


async def open_stream(
    instance: InProcessServer, page: ConsolePage
) -> asyncio.Task[InProcessResponse]:
    """Open an event stream; return the task that ends with it."""
    lists = instance.app.waiting_lists
    before = lists.count
    stream = asyncio.create_task(page.call("GET", EVENTS, headers=STREAM))

    async def is_open() -> bool:
        assert not stream.done(), stream.result()
        return lists.count > before

    await poll_until(is_open)
    return stream


def test_an_idle_session_ends(tmp_path: Path) -> None:
    clock = FrozenClock(START_MS)

    async def scene(instance: InProcessServer) -> None:
        page, idle = await signed_in(instance.app), await signed_in(instance.app)
        for _ in range(3):
            clock.advance(20 * MINUTE_MS)
            assert await is_live(page)
        assert not await is_live(idle)
        clock.advance(30 * MINUTE_MS)
        assert not await is_live(page)
        (await page.send("GET", SESSION)).refuses(401, 20003)

    run_scene(tmp_path / "data", scene, clock=clock)


def test_a_session_in_use_ends_after_twelve_hours(tmp_path: Path) -> None:
    clock = FrozenClock(START_MS)

    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        steps = limits.CONSOLE_SESSION_SECONDS * 1000 // (20 * MINUTE_MS)
        for _ in range(steps - 1):
            clock.advance(20 * MINUTE_MS)
            assert await is_live(page)
        clock.advance(20 * MINUTE_MS)
        assert not await is_live(page)

    run_scene(tmp_path / "data", scene, clock=clock)


def test_sessions_of_test_mode_end_with_the_process(tmp_path: Path) -> None:
    async def run() -> None:
        data = tmp_path / "data"
        async with running(data, test=True) as instance:
            page = await signed_in(instance.app)
            by = {"By": "P30D"}
            (await api_of(instance).post("/parlour/v1/Clock/Advance", by)).expect(200)
            assert await is_live(page)
            (await api_of(instance).post("/parlour/v1/Reset", {"Scope": "account"})).expect(200)
            assert await is_live(page)
            session = (await page.send("GET", SESSION)).expect(200)
            assert (session["ends"], session["idle_seconds"]) == (None, None)
        async with running(data, test=True) as instance:
            page.app = instance.app
            assert not await is_live(page)

    asyncio.run(run())


@pytest.mark.parametrize("what", ["key", "account", "operator"])
def test_a_session_ends_with_what_it_was_opened_with(tmp_path: Path, what: str) -> None:
    async def scene(instance: InProcessServer) -> None:
        keys = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Keys"
        key = (await api_of(instance).post(f"{keys}.json")).expect(201)
        await make_operator(instance)
        logins = {
            "key": (key["sid"], key["secret"]),
            "account": (ACCOUNT_SID, AUTH_TOKEN),
            "operator": (OPERATOR_SID, SECRET),
        }
        page = ConsolePage(instance.app)
        await page.sign_in(Name=logins[what][0], Secret=logins[what][1])
        stream = await open_stream(instance, page)
        if what == "key":
            (await api_of(instance).delete(f"{keys}/{key['sid']}.json")).expect(204)
        elif what == "account":
            await instance.store.write(
                lambda tx: tx.run(
                    "UPDATE account SET status = 'suspended' WHERE sid = $1", ACCOUNT_SID
                )
            )
        else:
            await instance.store.write(
                lambda tx: operator_actions.revoke_operator(tx, OPERATOR_SID)
            )
        assert not await is_live(page)
        assert (await asyncio.wait_for(stream, 20)).status == 200

    run_scene(tmp_path / "data", scene)


def test_sign_out_ends_the_streams_of_this_session_at_once(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page, other = await signed_in(instance.app), await signed_in(instance.app)
        stream, of_other = await open_stream(instance, page), await open_stream(instance, other)
        (await page.send("DELETE", SESSION)).expect(204)
        # Before the session is checked again.
        ended = await asyncio.wait_for(stream, limits.CONSOLE_STREAM_CHECK_SECONDS / 2)
        assert ended.status == 200
        assert not await is_live(page)
        assert not of_other.done()
        assert await is_live(other)
        (await other.send("DELETE", SESSION)).expect(204)
        await of_other
        assert instance.app.waiting_lists.count == 0

    run_scene(tmp_path / "data", scene)


def test_sign_out_ends_the_session_on_all_nodes(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (one, two):
            here = await signed_in(one.app)
            there = ConsolePage(two.app)
            there.cookie = here.cookie
            assert await is_live(there)
            stream = await open_stream(two, there)
            (await here.send("DELETE", SESSION)).expect(204)
            assert not await is_live(there)
            await asyncio.wait_for(stream, 20)

    asyncio.run(run())


def test_a_waiting_list_of_an_ended_session_shows_nothing(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page, lists = await signed_in(instance.app), instance.app.waiting_lists
        cursor = (await page.call("GET", f"{EVENTS}?After=now")).expect(200)["after"]
        path = f"{EVENTS}?After={cursor}&Wait=20&MinCount=1"
        waiting = asyncio.create_task(page.call("GET", path))

        async def is_waiting() -> bool:
            return lists.count == 1

        await poll_until(is_waiting)
        (await page.send("DELETE", SESSION)).expect(204)
        (await api_of(instance).post("/v1/Conversations", {})).expect(201)
        (await waiting).refuses(401, 20003)

    run_scene(tmp_path / "data", scene)


def test_the_streams_of_one_principal_leave_streams_for_others(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        await make_operator(instance)
        page, other = await signed_in(instance.app), ConsolePage(instance.app)
        await other.sign_in(Name=OPERATOR_SID, Secret=SECRET)
        streams = [
            await open_stream(instance, page) for _ in range(limits.EVENT_STREAMS_PER_ACCOUNT_MAX)
        ]
        (await page.call("GET", EVENTS, headers=STREAM)).refuses(429, 20429)
        streams.append(await open_stream(instance, other))
        for each in (page, other):
            (await each.send("DELETE", SESSION)).expect(204)
        for stream in streams:
            assert (await stream).status == 200
        assert instance.app.waiting_lists.count == 0

    run_scene(tmp_path / "data", scene)
