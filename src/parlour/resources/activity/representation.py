"""The JSON of an account's activity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date_ms

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.operations.minute_metrics import AccountTraffic
    from parlour.resources.activity.actions import AccountActivity, ActivityCounts


def resource(activity: AccountActivity, _view: View) -> dict[str, Any]:
    """Return the activity; each count names whether there may be more."""
    return {
        "account_sid": activity.account_sid,
        "node": activity.node,
        "date": format_date_ms(activity.now_ms),
        **_counts(activity.counts),
        "services": [
            {"sid": each.sid, "friendly_name": each.friendly_name, **_counts(each.counts)}
            for each in activity.services
        ],
        "has_more_services": activity.has_more_services,
        "requests": traffic_row(activity.traffic, activity.now_ms),
    }


def _counts(counts: ActivityCounts) -> dict[str, Any]:
    return {
        "conversations": counts.conversations,
        "users": counts.users,
        "messages_24h": counts.messages,
    }


def traffic_row(traffic: AccountTraffic, now_ms: int) -> dict[str, Any]:
    """Return the requests of an account to this process."""
    last_ms = None if traffic.ago_ms is None else now_ms - traffic.ago_ms
    return {
        "last_minute": traffic.last_minute,
        "last_5_minutes": traffic.last_5_minutes,
        "date_last": None if last_ms is None else format_date_ms(last_ms),
    }
