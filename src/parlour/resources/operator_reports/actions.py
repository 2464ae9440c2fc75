"""Actions of the reports for operators. They run outside of transactions, and read the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations.caller import VIEW
from parlour.resources.accounts import store as account_store
from parlour.resources.operator_accounts import store as operator_account_store
from parlour.resources.operator_reports import store as operator_report_store
from parlour.store import event_log, webhook_queue
from parlour.vocabulary import limits
from parlour.vocabulary.redaction import Redacted
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.minute_metrics import OneMinute
    from parlour.operations.node_reports import (
        CarrierLink,
        DiskSpace,
        Health,
        JobDate,
        ShownSetting,
    )
    from parlour.operations.parameters import NoParameters
    from parlour.operations.server_parts import ServerDescription, ServerParts
    from parlour.resources.operator_accounts.store import MediaSum
    from parlour.resources.operator_reports.store import DatedCount, FileSum, LeaseRow, Removal
    from parlour.store.transaction import Transaction
    from parlour.store.webhook_queue import UrlBacklog
    from parlour.vocabulary.bounded_count import BoundedCount


class HealthReport(msgspec.Struct, frozen=True):
    """The health of a node, with its metrics of the last hour."""

    description: ServerDescription
    now_ms: int
    health: Health
    requests_running: int
    minutes: list[OneMinute]
    last_backup_ms: int | None


class SinkState(msgspec.Struct, frozen=True):
    """A sink of the event log: ``owner`` is its node with several ones."""

    name: str
    position: int
    is_local: bool


class WaitingEndpoint(Redacted, msgspec.Struct, frozen=True):
    """A URL with waiting deliveries; it may contain a password."""

    account_sid: str
    url: str
    backlog: UrlBacklog


class CarrierState(msgspec.Struct, frozen=True):
    """A carrier, with the messages that wait for it; an empty name: no route."""

    name: str
    waiting: BoundedCount
    links: tuple[CarrierLink, ...]


class QueueReport(msgspec.Struct, frozen=True, kw_only=True):
    """All queues of a server."""

    node: str
    now_ms: int
    newest_event: int
    sinks: list[SinkState]
    webhooks: list[WaitingEndpoint]
    has_more_webhooks: bool
    shows_queries: bool
    """Whether the URLs of webhooks are shown with their queries, which may be tokens."""
    carriers: list[CarrierState]
    inbox: DatedCount
    jobs: list[JobDate]
    removals: list[Removal]
    has_more_removals: bool
    leases: list[LeaseRow]


class MediaOfAccount(msgspec.Struct, frozen=True):
    """The media of an account."""

    account_sid: str
    friendly_name: str
    media: MediaSum


class MediaReport(msgspec.Struct, frozen=True, kw_only=True):
    """The media of all accounts."""

    node: str
    now_ms: int
    accounts: list[MediaOfAccount]
    has_more_accounts: bool
    unattached: FileSum
    removed: FileSum
    last_sweep_ms: int | None
    disk: DiskSpace | None


class SettingsReport(msgspec.Struct, frozen=True):
    """The settings of a node."""

    node: str
    settings: list[ShownSetting]


async def fetch_health(parts: ServerParts, _call: Call[NoParameters]) -> HealthReport:
    """Return the health of this node; the checks run in a thread."""
    node = parts.node
    health = await node.health()
    return HealthReport(
        parts.description,
        node.real_now_ms,
        health,
        node.requests_running,
        node.minutes(),
        await node.store.read(operator_report_store.last_backup_ms),
    )


# tidy: event-for-change - no webhook shows backups
async def record_backup(tx: Transaction) -> None:
    """Record that a backup was made now, for the report about the health."""
    await operator_report_store.record_backup(tx)


async def fetch_settings(parts: ServerParts, _call: Call[NoParameters]) -> SettingsReport:
    """Return the settings of this node."""
    return SettingsReport(parts.description.node, parts.node.settings())


async def fetch_queues(parts: ServerParts, call: Call[NoParameters]) -> QueueReport:
    """Return the queues of the server, in one state of the store."""
    principal = call.caller.principal
    shows_queries = principal is not None and principal.role != VIEW
    return await parts.node.store.read(lambda tx: _read_queues(tx, parts, shows_queries))


async def _read_queues(tx: Transaction, parts: ServerParts, shows_queries: bool) -> QueueReport:
    node, links = parts.node, parts.node.carrier_links()
    urls = await webhook_queue.waiting_endpoints(tx, limits.WAITING_URLS_SHOWN_MAX + 1)
    removals = await operator_report_store.list_removals(tx, limits.REMOVALS_SHOWN_MAX + 1)
    return QueueReport(
        node=parts.description.node,
        now_ms=tx.now,
        newest_event=await event_log.visible_through(tx),
        sinks=[
            await _sink_state(tx, name, position)
            for name, position in node.sink_positions().items()
        ],
        webhooks=[
            WaitingEndpoint(sid, url, await webhook_queue.measure_url(tx, sid, url))
            for sid, url in urls[: limits.WAITING_URLS_SHOWN_MAX]
        ],
        has_more_webhooks=len(urls) > limits.WAITING_URLS_SHOWN_MAX,
        shows_queries=shows_queries,
        carriers=[
            CarrierState(
                name, await operator_report_store.count_queued(tx, name), links.get(name, ())
            )
            for name in ("", *sorted(links))
        ],
        inbox=await operator_report_store.count_inbox(tx),
        jobs=await node.job_dates(tx),
        removals=removals[: limits.REMOVALS_SHOWN_MAX],
        has_more_removals=len(removals) > limits.REMOVALS_SHOWN_MAX,
        leases=await operator_report_store.list_leases(tx) if node.store.is_shared else [],
    )


async def _sink_state(tx: Transaction, name: str, position: int | None) -> SinkState:
    if position is not None:
        return SinkState(name, position, is_local=True)
    return SinkState(name, await event_log.find_position(tx, name) or 0, is_local=False)


async def fetch_media_report(parts: ServerParts, _call: Call[NoParameters]) -> MediaReport:
    """Return the media of all accounts, and the disk that has their files."""
    disk = await parts.node.disk()
    return await parts.node.store.read(lambda tx: _read_media(tx, parts, disk))


async def _read_media(tx: Transaction, parts: ServerParts, disk: DiskSpace | None) -> MediaReport:
    most = limits.MEDIA_ACCOUNTS_SHOWN_MAX
    sids = await operator_report_store.accounts_with_media(tx, most + 1)
    return MediaReport(
        node=parts.description.node,
        now_ms=tx.now,
        accounts=[await _media_of(tx, Scope(sid)) for sid in sids[:most]],
        has_more_accounts=len(sids) > most,
        unattached=await operator_report_store.sum_unattached(tx),
        removed=await operator_report_store.sum_removed(tx),
        last_sweep_ms=parts.node.last_sweep_ms,
        disk=disk,
    )


async def _media_of(tx: Transaction, scope: Scope) -> MediaOfAccount:
    account = await account_store.find_account(tx, scope)
    most = limits.ACCOUNT_ROWS_COUNTED_MAX
    media = await operator_account_store.sum_media_up_to(tx, scope, most)
    return MediaOfAccount(scope.account_sid, account.friendly_name if account else "", media)
