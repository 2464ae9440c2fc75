"""Lookups of sessions before a sign-in: guesses cost few reads, and hinder no other client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from parlour.console.session_lookups import SessionLookups
from parlour.console.sign_in_throttle import FailureCounter
from parlour.vocabulary import limits
from tests.console.console_page import SESSION, ConsolePage, header, run_scene, signed_in
from tests.console.test_gate import gate_of
from tests.console.test_sign_in import RIGHT
from tests.events.in_process_server import poll_until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.events.in_process_server import InProcessServer

STRANGER = "192.0.2.1"
CONVERSATIONS = "/v1/Conversations"


def guess(page: ConsolePage, number: int) -> ConsolePage:
    """Give a page a token of no session."""
    page.cookie = b"parlour=%064x" % number
    return page


def counted_lookups(instance: InProcessServer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the digests that are looked up from now on."""
    sessions, found = gate_of(instance)._sessions, []
    live = sessions.live

    async def counted(digest: str) -> Any:
        found.append(digest)
        return await live(digest)

    monkeypatch.setattr(sessions, "live", counted)
    return found


def test_guesses_of_an_address_end_without_a_lookup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(instance: InProcessServer) -> None:
        known = ConsolePage(instance.app, peer=STRANGER)
        await known.sign_in(**RIGHT)
        (await known.call("GET", CONVERSATIONS)).expect(200)
        lookups = counted_lookups(instance, monkeypatch)
        stranger, most = ConsolePage(instance.app, peer=STRANGER), limits.CONSOLE_UNKNOWN_TOKENS_MAX
        for number in range(most):
            (await guess(stranger, number).call("GET", CONVERSATIONS)).refuses(401, 20003)
        assert len(lookups) == most
        for number in range(3):
            for path in (SESSION, f"/parlour/console/api/-{CONVERSATIONS}"):
                refused = await guess(stranger, most + number).send("GET", path)
                refused.refuses(429, 20429)
                assert header(refused, "retry-after") == "60"
        assert len(lookups) == most
        # A session at this address is not affected, and neither are other addresses.
        (await known.call("GET", CONVERSATIONS)).expect(200)
        (await guess(ConsolePage(instance.app), 0).send("GET", SESSION)).refuses(401, 20003)
        # A sign-in is limited by its own rules.
        (await stranger.send("POST", SESSION, RIGHT)).expect(201)
        (await stranger.call("GET", CONVERSATIONS)).refuses(429, 20429)

    run_scene(tmp_path / "data", scene)


def test_a_token_of_another_form_is_not_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(instance: InProcessServer) -> None:
        lookups, page = counted_lookups(instance, monkeypatch), ConsolePage(instance.app)
        for token in (b"", b"x", b"A" * 64, b"0" * 63, b"0" * 65, b"0" * 4000):
            page.cookie = b"parlour=" + token
            (await page.send("GET", SESSION)).refuses(401, 20003)
        assert lookups == []

    run_scene(tmp_path / "data", scene)


def test_lookups_of_an_address_leave_slots_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(instance: InProcessServer) -> None:
        page, gate = await signed_in(instance.app), gate_of(instance)
        (await page.call("GET", CONVERSATIONS)).expect(200)
        sessions, release, waiting = gate._sessions, asyncio.Event(), []
        live = sessions.live

        async def slow(digest: str) -> Any:
            if not gate._lookups.has_found(digest):
                waiting.append(digest)
                await release.wait()
            return await live(digest)

        monkeypatch.setattr(sessions, "live", slow)
        most = limits.CONSOLE_REQUESTS_MAX
        strangers = [
            guess(ConsolePage(instance.app, peer=STRANGER), number) for number in range(most)
        ]
        held = [asyncio.create_task(each.send("GET", SESSION)) for each in strangers]

        async def is_full() -> bool:
            return len(waiting) == most

        await poll_until(is_full)
        late = guess(ConsolePage(instance.app, peer=STRANGER), most)
        (await late.send("GET", SESSION)).refuses(429, 20429)
        (await page.call("GET", CONVERSATIONS)).expect(200)
        other = guess(ConsolePage(instance.app, peer="192.0.2.2"), 0)
        held.append(asyncio.create_task(other.send("GET", SESSION)))

        async def is_admitted() -> bool:
            return len(waiting) == most + 1

        await poll_until(is_admitted)
        release.set()
        for each in held:
            (await each).refuses(401, 20003)
        assert gate._admission.running == 0

    run_scene(tmp_path / "data", scene)


def test_the_memory_of_lookups_is_bounded() -> None:
    lookups = SessionLookups()
    for number in range(limits.CONSOLE_FOUND_TOKENS_MAX + 10):
        lookups.record(str(number), STRANGER, 0.0, is_found=True)
    assert len(lookups._found) == limits.CONSOLE_FOUND_TOKENS_MAX
    assert not lookups.has_found("9")
    assert lookups.has_found("10")
    # An ended session is unknown.
    lookups.record("10", STRANGER, 0.0, is_found=False)
    assert not lookups.has_found("10")
    unknown = FailureCounter(2)
    for number in range(limits.SIGN_IN_ENTRIES_MAX + 10):
        unknown.add((str(number),), 0.0)
    assert len(unknown._entries) == limits.SIGN_IN_ENTRIES_MAX
