"""Streams of the console: pages at the same position share the reads of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.resources.events.feed import Feed
from tests.console.console_page import api_of, run_scene, signed_in
from tests.console.test_session_ends import open_stream
from tests.events.in_process_server import poll_until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.events.in_process_server import InProcessServer

PAGES = 5
MESSAGES = 30


def test_open_pages_share_reads_and_miss_no_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []
    read = Feed.read

    async def counted(self: Feed, *arguments: Any) -> Any:
        page = await read(self, *arguments)
        found.append(len(page.events))
        return page

    monkeypatch.setattr(Feed, "read", counted)

    async def scene(instance: InProcessServer) -> None:
        api = api_of(instance)
        made = (await api.post("/v1/Conversations", {})).expect(201)
        pages = [await signed_in(instance.app) for _ in range(PAGES)]
        streams = [await open_stream(instance, page) for page in pages]
        found.clear()
        for number in range(MESSAGES):
            path = f"/v1/Conversations/{made['sid']}/Messages"
            (await api.post(path, {"Body": str(number)})).expect(201)

        async def all_read() -> bool:
            waits = instance.app.waiting_lists._every_wait()
            return sum(found) >= MESSAGES and all(each._waiter is not None for each in waits)

        await poll_until(all_read)
        # Each stream ends after what it has read.
        instance.app.waiting_lists.stop()
        bodies = [(await each).body for each in streams]
        assert [body.count(b'"event_type":"onMessageAdded"') for body in bodies] == [
            MESSAGES
        ] * PAGES
        # Alone, each of the pages would have read each event.
        assert sum(found) < 2 * MESSAGES, found

    run_scene(tmp_path / "data", scene)
