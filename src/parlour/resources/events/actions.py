"""Actions of the event feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.call import FeedEnd, Rows
from parlour.resources.events.feed import NOW, START, Feed
from parlour.vocabulary import sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.resources.events.parameters import ListEvents
    from parlour.store.transaction import Transaction


async def list_events(tx: Transaction, call: Call[ListEvents]) -> Rows:
    """Return a page of the account's events, oldest first unless the order is descending."""
    feed = feed_of(call)
    filters = call.parameters.filters()
    page = call.page_request
    if call.parameters.is_descending:
        return await _list_newest_first(tx, call, feed)
    name, text = "After", call.parameters.given().get("after")
    if page.position is not None:
        if page.position.backwards:
            raise ApiError.invalid("PageToken")
        name, text = "PageToken", str(page.position.key)
    if text is None:
        after = await feed.first_position(tx, filters)
        text = NOW if filters.since_ms else START
    else:
        after = await feed.position(tx, text, name)
    found = await feed.read(tx, filters, after, page.size)
    if found.has_more:
        text = feed.cursor(found.position)
    elif found.events:
        text = found.events[-1].cursor
    elif text == NOW:
        text = feed.end_cursor(after)
    # Else the same position again: the end of the log would show that others have added events.
    return Rows(found.events, order="cursor", end=FeedEnd(text, sids.EVENT, found.has_more))


async def _list_newest_first(tx: Transaction, call: Call[ListEvents], feed: Feed) -> Rows:
    page, before = call.page_request, None
    if page.position is not None:
        if page.position.backwards:
            raise ApiError.invalid("PageToken")
        before = await feed.position(tx, str(page.position.key), "PageToken")
    found = await feed.read_back(tx, call.parameters.filters(), before, page.size)
    end = FeedEnd(feed.cursor(found.position), sids.EVENT, found.has_more)
    return Rows(found.events, order="cursor", end=end)


def feed_of(call: Call[ListEvents]) -> Feed:
    """Return the feed of a call's account."""
    return Feed(call.scope, call.vault.event_cursors, is_test=call.settings.is_test)
