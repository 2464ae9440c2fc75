"""The action of an account's activity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.protocol.pages import PageRequest
from parlour.resources.activity import store as activity_store
from parlour.resources.services import store as service_store
from parlour.vocabulary import limits
from parlour.vocabulary.bounded_count import BoundedCount
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.minute_metrics import AccountTraffic
    from parlour.operations.parameters import NoParameters
    from parlour.store.transaction import Transaction

_DAY_MS: Final = 24 * 60 * 60 * 1000


class ActivityCounts(msgspec.Struct, frozen=True):
    """What an account or a service has, and the messages of the last 24 hours."""

    conversations: BoundedCount
    users: BoundedCount
    messages: BoundedCount


class ServiceActivity(msgspec.Struct, frozen=True):
    """The activity of a service."""

    sid: str
    friendly_name: str
    counts: ActivityCounts


class AccountActivity(msgspec.Struct, frozen=True):
    """The activity of an account; ``traffic`` is that to this process."""

    account_sid: str
    node: str
    now_ms: int
    counts: ActivityCounts
    services: list[ServiceActivity]
    has_more_services: bool
    traffic: AccountTraffic


async def fetch_activity(tx: Transaction, call: Call[NoParameters]) -> AccountActivity:
    """Return the activity of the account and of its oldest services."""
    page = PageRequest(0, limits.SERVICES_SHOWN_MAX, None)
    found = await service_store.list_services(tx, call.scope, page)
    conversations_left = limits.RECENT_MESSAGES_READ_MAX // limits.RECENT_MESSAGES_COUNTED_MAX
    services: list[ServiceActivity] = []
    for service in found[: limits.SERVICES_SHOWN_MAX]:
        scope = Scope(call.scope.account_sid, service.sid)
        conversations_max = min(conversations_left, limits.ACTIVE_CONVERSATIONS_COUNTED_MAX)
        messages, read = await activity_store.count_recent_messages(
            tx, scope, tx.now - _DAY_MS, conversations_max
        )
        conversations_left -= read
        counts = ActivityCounts(
            conversations=await activity_store.count_conversations_of_service(tx, scope),
            users=await activity_store.count_users_of_service(tx, scope),
            messages=messages,
        )
        services.append(ServiceActivity(service.sid, service.friendly_name, counts))
    has_more = len(found) > len(services)
    recent = [each.counts.messages for each in services]
    parts = call.parts
    return AccountActivity(
        account_sid=call.scope.account_sid,
        node=parts.description.node,
        now_ms=tx.now,
        counts=ActivityCounts(
            conversations=await activity_store.count_conversations(tx, call.scope),
            users=await activity_store.count_users(tx, call.scope),
            messages=BoundedCount(
                sum(each.count for each in recent),
                has_more or any(each.at_least for each in recent),
            ),
        ),
        services=services,
        has_more_services=has_more,
        traffic=parts.by_minute.traffic(call.scope.account_sid),
    )
