"""The JSON of the reports for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.protocol.timestamps import format_date_ms
from parlour.resources.webhook_attempts.representation import without_credentials, without_query

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.operations.minute_metrics import OneMinute
    from parlour.resources.operator_reports.actions import (
        HealthReport,
        MediaReport,
        QueueReport,
        SettingsReport,
        SinkState,
        WaitingEndpoint,
    )
    from parlour.resources.operator_reports.store import FileSum

_DAY_MS: Final = 24 * 60 * 60 * 1000
_STATES: Final = ("ok", "warning", "error")
"""The states of checks, the worst one last."""


def _date(ms: int | None) -> str | None:
    return None if ms is None else format_date_ms(ms)


def health(report: HealthReport, _view: View) -> dict[str, Any]:
    """Return the health of a node; its state is the worst of the checks."""
    found, description, now_ms = report.health, report.description, report.now_ms
    states = [_STATES.index(each.state) for each in found.checks]
    return {
        "node": description.node,
        "date": format_date_ms(now_ms),
        "version": description.version,
        "engine": description.engine,
        "test": description.is_test,
        "date_started": format_date_ms(description.started_ms),
        "uptime_seconds": max(0, now_ms - description.started_ms) // 1000,
        "state": _STATES[max(states, default=0)],
        "date_checked": format_date_ms(found.checked_ms),
        "checks": found.checks,
        "disk": found.disk,
        "memory": found.memory,
        "certificate": _certificate(found.certificate_expires_ms, now_ms),
        "date_last_backup": _date(report.last_backup_ms),
        "requests_running": report.requests_running,
        "minutes": [_minute(each, now_ms) for each in report.minutes],
    }


def _certificate(expires_ms: int | None, now_ms: int) -> dict[str, Any] | None:
    if expires_ms is None:
        return None
    days = (expires_ms - now_ms) // _DAY_MS
    return {"days_left": days, "date_expires": format_date_ms(expires_ms)}


def _minute(minute: OneMinute, now_ms: int) -> dict[str, Any]:
    return {
        "date": format_date_ms(now_ms - round(minute.ago_ms)),
        "requests": minute.requests,
        "errors": minute.errors,
        "p50_ms": _rounded(minute.p50_ms),
        "p99_ms": _rounded(minute.p99_ms),
        "lag_ms": _rounded(minute.lag_ms),
    }


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)


def settings(report: SettingsReport, _view: View) -> dict[str, Any]:
    """Return all settings, without secrets."""
    return {"node": report.node, "settings": report.settings}


def queues(report: QueueReport, _view: View) -> dict[str, Any]:
    """Return the queues; each count names whether there may be more."""
    # The owner of a lease is the name of a node and a random part (app.py).
    owners = {
        each.name: each.owner.partition(" ")[0]
        for each in report.leases
        if each.expires_ms > report.now_ms
    }
    inbox = report.inbox
    return {
        "node": report.node,
        "date": format_date_ms(report.now_ms),
        "newest_event": report.newest_event,
        "sinks": [_sink(each, report.newest_event, owners) for each in report.sinks],
        "webhooks": [_webhook(each, report) for each in report.webhooks],
        "has_more_webhooks": report.has_more_webhooks,
        "carriers": report.carriers,
        "inbox": {"waiting": inbox.count, "date_oldest": _date(inbox.oldest_ms)},
        "jobs": [
            {"name": each.name, "date_due": _date(each.due_ms), "is_upkeep": each.is_upkeep}
            for each in report.jobs
        ],
        "removals": [each._asdict() for each in report.removals],
        "has_more_removals": report.has_more_removals,
        "leases": [
            {
                "name": each.name,
                "owner": owners.get(each.name),
                "date_expires": format_date_ms(each.expires_ms),
            }
            for each in report.leases
        ],
    }


def _sink(sink: SinkState, newest: int, owners: dict[str, str]) -> dict[str, Any]:
    return {
        "name": sink.name,
        "position": sink.position,
        "behind": max(0, newest - sink.position),
        "owner": owners.get(f"sink {sink.name}"),
        "is_local": sink.is_local,
    }


def _webhook(endpoint: WaitingEndpoint, report: QueueReport) -> dict[str, Any]:
    backlog = endpoint.backlog
    shown = without_credentials if report.shows_queries else without_query
    return {
        "account_sid": endpoint.account_sid,
        "url": shown(endpoint.url),
        "waiting": backlog.waiting,
        "lanes": backlog.lanes,
        "date_oldest": _date(backlog.oldest_ms),
        "date_next_attempt": _date(backlog.next_due_ms),
    }


def media(report: MediaReport, _view: View) -> dict[str, Any]:
    """Return the media by account; each sum names whether there may be more."""
    return {
        "node": report.node,
        "date": format_date_ms(report.now_ms),
        "accounts": [
            {
                "account_sid": each.account_sid,
                "friendly_name": each.friendly_name,
                "count": each.media.count,
                "bytes": each.media.bytes,
                "at_least": each.media.at_least,
            }
            for each in report.accounts
        ],
        "has_more_accounts": report.has_more_accounts,
        "unattached": _files(report.unattached),
        "date_oldest_unattached": _date(report.unattached.oldest_ms),
        "removed": _files(report.removed),
        "date_last_sweep": _date(report.last_sweep_ms),
        "disk": report.disk,
    }


def _files(found: FileSum) -> dict[str, Any]:
    return {"count": found.count, "bytes": found.bytes, "at_least": found.at_least}
