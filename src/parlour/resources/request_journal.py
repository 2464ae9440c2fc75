"""The journal of a server, and the names of operations in it: one for all forms of an operation.

An operation has up to three forms: of the default service, of a named service, and the one of
client SDKs. The journal names each by the first, so that a test that looks for
``CreateConversationMessage`` finds it in each form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.operations.operation import UrlForm
from parlour.operations.request_journal import RequestJournal
from parlour.resources.client_table import client_operations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.operations.operation import Operation
    from parlour.operations.waiting_lists import WaitingLists
    from parlour.vocabulary.clock import Clock

_SERVICE: Final = "/v1/Services/{ChatServiceSid}"


def common_names(served: Iterable[Operation], of_clients: Iterable[Operation]) -> dict[str, str]:
    """Return the common name of each operation, by its id."""
    by_place = {(each.method, each.path): each for each in served}
    names = {}
    for each in (*by_place.values(), *of_clients):
        found = by_place.get((each.method, each.path), each)
        if each.url_form is UrlForm.SERVICE:
            short = by_place.get((each.method, each.path.replace(_SERVICE, "/v1", 1)))
            # Some paths of accounts are similar, and are of other operations.
            if short is not None and short.url_form is UrlForm.SHORT:
                found = short
        names[each.operation_id] = found.operation_id
    return names


def make_journal(
    served: tuple[Operation, ...],
    clock: Clock,
    lists: WaitingLists,
    *,
    has_details: bool,
) -> RequestJournal:
    """Return the journal of a server with these operations, and of the commands of clients."""
    of_clients = tuple(client_operations().values())
    names = common_names(served, of_clients)
    return RequestJournal(
        (*served, *of_clients),
        names,
        clock,
        lists.publish,
        has_details=has_details,
        waits=lists.waits,
    )
