"""The JSON of a webhook attempt: its request, its response and the next attempt.

User names and passwords in URLs are omitted: readers of the log must not learn them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.protocol.timestamps import format_date_ms

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.webhook_attempts.actions import ReplayResult
    from parlour.resources.webhook_attempts.store import LoggedAttempt
    from parlour.store.webhook_queue import WebhookDelivery

_USER_INFO: Final = re.compile(r"(?<=://)[^/?#]*@")
HIDDEN: Final = "…"
"""In place of a query."""
_parameters = msgspec.json.Decoder(dict[str, str])


def without_credentials(url: str) -> str:
    """Return a URL without user name, password and fragment."""
    return _USER_INFO.sub("", url).partition("#")[0]


def without_query(url: str) -> str:
    """Return the URL without the values of its query as well, which may be tokens."""
    path, question_mark, _ = without_credentials(url).partition("?")
    return f"{path}?{HIDDEN}" if question_mark else path


def resource(logged: LoggedAttempt, view: View) -> dict[str, Any]:
    """Return one attempt with its URL."""
    root = view.root_url.removesuffix("/v1")
    return {
        **row(logged),
        "attempts_max": logged.attempts_max,
        "event_cursor": logged.event_cursor,
        "request_sid": logged.request_sid,
        "url": f"{root}/parlour/v1/WebhookAttempts/{logged.sid}",
    }


def row(logged: LoggedAttempt) -> dict[str, Any]:
    """Return one attempt without its URL, as the command line shows it."""
    attempt, delivery = logged.attempt, logged.delivery
    next_ms = attempt.next_attempt_ms
    return {
        "sid": attempt.sid,
        "account_sid": attempt.account_sid,
        "chat_service_sid": (delivery.service_sid or None) if delivery else None,
        "conversation_sid": attempt.conversation_sid or None,
        "event_type": attempt.event_name,
        "outcome": attempt.outcome,
        "retry_count": attempt.retry_count,
        "scope": delivery.scope if delivery else None,
        "webhook_sid": delivery.webhook_sid if delivery else None,
        "idempotency_token": delivery.token if delivery else None,
        "delivery_state": delivery.state if delivery else None,
        "request": _request(delivery, attempt.retry_count) if delivery else None,
        "response": None
        if attempt.status is None
        else {"status": attempt.status, "body_start": attempt.answer},
        "elapsed_ms": attempt.elapsed_ms,
        "error_code": attempt.error_code,
        "error": attempt.error,
        "date_created": format_date_ms(attempt.date_created),
        "date_next_attempt": None if next_ms is None else format_date_ms(next_ms),
    }


def _request(delivery: WebhookDelivery, retry_count: int) -> dict[str, Any]:
    parameters = _parameters.decode(delivery.parameters)
    parameters["RetryCount"] = str(retry_count)
    return {
        "method": delivery.method,
        "url": without_credentials(delivery.url),
        "parameters": dict(sorted(parameters.items())),
    }


def replayed(made: ReplayResult, _view: View) -> dict[str, Any]:
    """Return the result of a replay of a range, and the position to continue from."""
    return {
        "replayed": made.deliveries,
        "has_more": made.is_more,
        "after": made.last_attempt_sid,
        "until": format_date_ms(made.until_ms),
    }
