"""Rows of the webhook log in an account of the matrix."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from tests.security.tenants.valid_forms import URL

if TYPE_CHECKING:
    from tests.security.tenants.targets import MatrixTarget
    from tests.security.tenants.twin_accounts import AccountObjects


def seed_attempt(target: MatrixTarget, world: AccountObjects, number: int) -> str:
    """Insert a webhook attempt that failed, as the twin's at the same event did."""
    sid = f"NO{number:016x}{secrets.token_hex(8)}"
    now_ms = int(time.time() * 1000)
    shared = {
        "account_sid": world.sid,
        "event_sequence": number,
        "target_key": "account",
        "conversation_sid": "",
        "event_name": "onMessageAdded",
        "retry_count": 0,
    }
    delivery = shared | {
        "service_sid": world.second.sid,
        "scope": "account",
        "webhook_sid": None,
        "url": URL,
        "method": "POST",
        "retry_limit": None,
        "token": secrets.token_hex(8),
        "parameters": "{}",
        "lane": 1,
        "lane_order": number,
        "state": "failed",
        "due_ms": None,
        "date_queued": now_ms,
        "date_updated": now_ms,
    }
    attempt = shared | {
        "sid": sid,
        "outcome": "failed",
        "status": 500,
        "error_code": None,
        "error": None,
        "elapsed_ms": 1,
        "answer": "",
        "next_attempt_ms": None,
        "date_created": now_ms,
    }
    target.insert("webhook_delivery", delivery)
    target.insert("webhook_attempt", attempt)
    endpoint = {
        "account_sid": world.sid,
        "url": URL if number == 1 else f"{URL}/{number}",
        "date_delivered": None,
        "date_failed": now_ms,
        "status": 500,
        "error_code": None,
        "error": None,
        "elapsed_ms": 1,
        "date_used": now_ms,
    }
    target.insert("webhook_endpoint", endpoint)
    return sid
