"""Actions of the journal of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from parlour.operations.call import Rows
from parlour.vocabulary import sids

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.operations.request_journal import RecordedRequest
    from parlour.operations.server_parts import ServerParts
    from parlour.resources.requests.parameters import ListRequests


async def list_requests(parts: ServerParts, call: Call[ListRequests]) -> Rows:
    """Return a page of the account's requests, newest first.

    Raises 20001 for an unknown operation.
    """
    parameters = call.parameters
    after_sid = parameters.given().get("after")
    account_sid = call.caller.account_sid
    filters = parameters.filters()
    if filters.operation is not None:
        filters = replace(filters, operation=parts.journal.common_name(filters.operation))
    return Rows(parts.journal.list(account_sid, filters, after_sid, call.page_request))


async def fetch_request(parts: ServerParts, call: Call[NoParameters]) -> RecordedRequest:
    """Return one request."""
    sid = sids.parse(sids.REQUEST, call.path["Sid"])
    found = None if sid is None else parts.journal.find(call.caller.account_sid, sid)
    if found is None:
        raise call.not_found()
    return found
