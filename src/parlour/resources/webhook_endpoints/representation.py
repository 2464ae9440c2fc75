"""The JSON of a webhook endpoint: its backlog, its concurrency and its last results in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date_ms
from parlour.resources.webhook_attempts.representation import without_credentials

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.webhook_endpoints.actions import ListedEndpoint, RetriedEndpoint
    from parlour.resources.webhook_endpoints.store import WebhookEndpoint


def resource(listed: ListedEndpoint, _view: View) -> dict[str, Any]:
    """Return one endpoint; the activity is null unless this process delivers to it now."""
    endpoint, backlog, activity = listed.endpoint, listed.backlog, listed.activity
    return {
        "account_sid": endpoint.account_sid,
        "url": without_credentials(endpoint.url),
        "waiting": backlog.waiting,
        "lanes": backlog.lanes,
        "date_oldest": _date(backlog.oldest_ms),
        "date_next_attempt": _date(backlog.next_due_ms),
        "state": activity and activity.state,
        "in_flight": activity and activity.in_flight,
        "at_once_max": activity and activity.at_once_max,
        "date_last_success": _date(endpoint.date_delivered),
        "last_failure": _failure(endpoint),
    }


def _date(ms: int | None) -> str | None:
    return None if ms is None else format_date_ms(ms)


def _failure(endpoint: WebhookEndpoint) -> dict[str, Any] | None:
    if endpoint.date_failed is None:
        return None
    return {
        "date": format_date_ms(endpoint.date_failed),
        "text": failure_text(endpoint),
        "status": endpoint.status,
        "error_code": endpoint.error_code,
        "error": endpoint.error,
        "elapsed_ms": endpoint.elapsed_ms,
    }


def failure_text(endpoint: WebhookEndpoint) -> str:
    """Return a description of the last failure of an endpoint."""
    after = f"after {endpoint.elapsed_ms} ms"
    if endpoint.status is not None:
        return f"The receiver answered {endpoint.status} {after}."
    if endpoint.error is None:
        return f"The receiver did not answer, {after}."
    kind, _, detail = endpoint.error.partition(": ")
    reason = f" ({detail})" if detail else ""
    texts = {
        "timeout": f"The receiver did not answer within {endpoint.elapsed_ms} ms",
        "dns": "The name of the receiver has no address",
        "connect": f"No connection to the receiver{reason}, {after}",
        "tls": f"The TLS handshake with the receiver failed{reason}, {after}",
        "protocol": f"The answer of the receiver is not valid HTTP{reason}, {after}",
    }
    return texts.get(kind, f"The request was not sent: {endpoint.error.rstrip('.')}") + "."


def retried(result: RetriedEndpoint, _view: View) -> dict[str, Any]:
    """Return the result of a retry."""
    return {
        "account_sid": result.account_sid,
        "url": result.url,
        "retried": result.retried,
        "has_more": result.has_more,
    }
