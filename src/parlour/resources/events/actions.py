"""Actions of the event feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.call import FeedEnd, Rows
from parlour.resources.events.feed import START, Feed
from parlour.vocabulary import sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.resources.events.parameters import ListEvents
    from parlour.store.transaction import Transaction


async def list_events(tx: Transaction, call: Call[ListEvents]) -> Rows:
    """Return a page of the account's events, oldest first."""
    feed = feed_of(call)
    filters = call.parameters.filters()
    page = call.page_request
    if page.position is None:
        after = await feed.position(tx, call.parameters.given().get("after", START), "After")
    else:
        if page.position.backwards:
            raise ApiError.invalid("PageToken")
        after = await feed.position(tx, str(page.position.key), "PageToken")
    found = await feed.read(tx, filters, after, page.size)
    end = FeedEnd(feed.cursor(found.position), sids.EVENT, found.has_more)
    return Rows(found.events, order="cursor", end=end)


def feed_of(call: Call[ListEvents]) -> Feed:
    """Return the feed of a call's account."""
    return Feed(call.scope, call.vault.event_cursors, shows_sequences=call.settings.shows_sequences)
