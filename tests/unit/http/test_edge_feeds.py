"""Lists of the event feed: the ends of their pages, streams, and positions of other lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from parlour.http.messages import JSON
from parlour.operations.call import Call, FeedEnd, OperationResult, Rows
from parlour.protocol.pages import PagePosition
from tests.unit.http.test_edge import (
    STREAMED,
    ListRecord,
    RecordingPipeline,
    listing,
    post,
    respond,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def feed(count: int, *, has_more: bool) -> RecordingPipeline:
    """A page of a feed that ended at the cursor ``end``."""
    rows = [ListRecord(number, f"TH{number}") for number in range(count)]
    return RecordingPipeline(OperationResult(200, Rows(rows, end=FeedEnd("end", "TH", has_more))))


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("has_more", [False, True])
def test_a_page_of_a_feed_shows_its_end_and_continues_there(count: int, *, has_more: bool) -> None:
    pipeline = feed(count, has_more=has_more)

    shown = json.loads(respond(pipeline, listing(), "/v1/Things").body)

    assert (shown["after"], shown["is_more"]) == ("end", has_more)
    assert shown["meta"]["previous_page_url"] is None
    next_page_url = shown["meta"]["next_page_url"]
    assert (next_page_url is not None) == has_more
    if has_more:
        respond(pipeline, listing(), "/v1/Things", query=next_page_url.partition("?")[2].encode())
        assert pipeline.calls[1].page_request.position == PagePosition("end", "TH")


def test_a_page_of_a_feed_that_is_cut_by_size_continues_after_its_last_row() -> None:
    shown = json.loads(respond(feed(3, has_more=False), listing(), "/v1/Things").body)
    assert (len(shown["things"]), shown["after"], shown["is_more"]) == (1, 0, True)


@pytest.mark.parametrize(
    ("accept", "is_stream"), [(b"application/json", False), (b"text/event-stream", True)]
)
def test_a_feed_is_a_stream_for_clients_that_accept_one(accept: bytes, *, is_stream: bool) -> None:
    streamed = respond(
        feed(0, has_more=False), listing(has_stream=True), "/v1/Things", accept=accept
    )
    assert (streamed.body == STREAMED) == is_stream
    plain = respond(feed(0, has_more=False), listing(), "/v1/Things", accept=accept)
    assert plain.body != STREAMED


class PositionedPipeline(RecordingPipeline):
    """Reads a list whose position in the feed is ``ec_1``."""

    async def run(
        self, call: Call[Any], render: Callable[[Call[Any], OperationResult], bytes]
    ) -> OperationResult:
        """Run a call."""
        call.event_cursor = "ec_1" if call.wants_event_cursor else None
        return await super().run(call, render)


@pytest.mark.parametrize(
    ("shows", "headers", "is_shown"),
    [
        (True, {"parlour_event_cursor": b"?1"}, True),
        (True, {}, False),
        (False, {"parlour_event_cursor": b"?1"}, False),
    ],
)
def test_the_position_of_a_list_in_the_feed_is_a_header_if_it_is_wanted(
    *, shows: bool, headers: dict[str, bytes], is_shown: bool
) -> None:
    pipeline = PositionedPipeline(OperationResult(200, Rows([])))
    response = respond(pipeline, listing(shows_cursor=shows), "/v1/Things", **headers)
    shown = (JSON, (b"parlour-event-cursor", b"ec_1"))
    assert response.headers == (shown if is_shown else (JSON,))


def test_a_form_is_recorded_only_if_the_journal_records_forms() -> None:
    recorded: list[Any] = []
    respond(RecordingPipeline(), post(), body=b"Name=a", recorded=recorded)
    assert recorded == [{"Name": ["a"]}]
