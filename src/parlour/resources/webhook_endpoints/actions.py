"""Actions of webhook endpoints: list the URLs of an account, and retry one now."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from parlour.operations.call import Rows
from parlour.protocol.pages import page_of
from parlour.resources.webhook_attempts.representation import without_credentials
from parlour.resources.webhook_endpoints import store as webhook_endpoint_store
from parlour.resources.webhook_endpoints.store import WebhookEndpoint
from parlour.store import webhook_queue
from parlour.store.webhook_queue import UrlBacklog  # noqa: TC001 - msgspec reads it.
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.operations.server_parts import EndpointActivity
    from parlour.resources.webhook_endpoints.parameters import RetryWebhookEndpoint
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

_POSITION_CHARS_MAX = 200


class ListedEndpoint(msgspec.Struct, frozen=True):
    """An endpoint with its backlog, and with its activity if this process delivers to it."""

    endpoint: WebhookEndpoint
    backlog: UrlBacklog
    activity: EndpointActivity | None

    @property
    def sid(self) -> str:
        """A digest of the URL."""
        return _digest(self.endpoint.url)

    @property
    def position(self) -> str:
        """The position in the list, without user name and password."""
        return _position(self.endpoint.url)


class RetriedEndpoint(msgspec.Struct, frozen=True):
    """The result of a retry: the number of lanes that were made due."""

    account_sid: str
    url: str
    retried: int
    has_more: bool


def _digest(url: str) -> str:
    return blake2b(url.encode(), digest_size=16).hexdigest()


def _position(url: str) -> str:
    # Unique and short: page tokens contain it, and clients must not learn passwords from those.
    return f"{without_credentials(url)[:_POSITION_CHARS_MAX]} {_digest(url)}"


async def _endpoints(tx: Transaction, scope: Scope) -> dict[str, WebhookEndpoint]:
    """Return the account's endpoints by URL: with waiting deliveries, or with results."""
    most = limits.WEBHOOK_ENDPOINTS_LISTED_MAX
    waiting = await webhook_queue.waiting_urls(tx, scope.account_sid, most)
    found = {url: WebhookEndpoint(scope.account_sid, url) for url in waiting}
    for each in await webhook_endpoint_store.list_endpoints(tx, scope, most):
        found[each.url] = each
    return found


async def list_webhook_endpoints(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """Return a page of the account's endpoints, ordered by URL."""
    account_sid = call.scope.account_sid
    found = {_position(url): each for url, each in (await _endpoints(tx, call.scope)).items()}
    chosen = page_of(sorted(found), call.page_request, lambda position: position)
    rows = [
        ListedEndpoint(
            found[each],
            await webhook_queue.measure_url(tx, account_sid, found[each].url),
            call.parts.endpoints.endpoint_activity(account_sid, found[each].url),
        )
        for each in chosen
    ]
    return Rows(rows, order="position")


async def retry_webhook_endpoint(
    tx: Transaction, call: Call[RetryWebhookEndpoint]
) -> RetriedEndpoint:
    """Make the heads of the waiting lanes of a URL due now; return how many were not.

    The limits of concurrent requests apply: an endpoint that hangs is probed as before. Raises
    20001 for a URL that got no webhook.
    """
    account_sid, url = call.scope.account_sid, call.parameters.given()["url"]
    shown = without_credentials(url)
    named = [
        each
        for each in await _endpoints(tx, call.scope)
        if url in {each, without_credentials(each)}
    ]
    if not named:
        raise ApiError(20001, f"No webhook was sent to {shown}.")
    counts = [await webhook_queue.make_url_due(tx, account_sid, each) for each in sorted(named)]
    if any(counts):
        # Makes the webhook sink search the account for due deliveries. None was reopened.
        await tx.emit(
            call.scope,
            event_names.WEBHOOKS_REPLAYED,
            subject_sid=account_sid,
            payload={"reopened": 0, "lanes": []},
        )
    has_more = any(each >= limits.LANES_RETRIED_MAX for each in counts)
    return RetriedEndpoint(account_sid, shown, sum(counts), has_more)
