"""Rate limits of the hosted API on changes, enabled by ``--actions-per-second``.

| change                                              | counted for      | beyond it |
|-----------------------------------------------------|------------------|-----------|
| participants, messages, update of a conversation    | its conversation | 50063     |
| new or removed conversations; users; roles          | its service      | 50063     |
| all of these                                        | the account      | 50074     |

Reads, settings, webhooks and uploads are not counted, nor are background changes of the server.
Calls of client SDKs are counted like REST calls. A call that is rejected here is not counted and
changes nothing; a call that fails for another reason has been counted.

The rate is an average over ACTIONS_WINDOW_MS, as the hosted service measures it, so a short burst
passes. Counters are leaky buckets in the form of the generic cell rate algorithm: one number per
key, the time at which its bucket is empty again. Each process counts separately.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import RETRY_AFTER, ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.operation import Operation
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.clock import Clock

RateScope = Literal["conversation", "service"]

_OF_CONVERSATION: Final = (
    "/Conversations/{ConversationSid}/Participants",
    "/Conversations/{ConversationSid}/Messages",
    "/Users/{UserSid}/Conversations/{ConversationSid}",
)
_OF_SERVICE: Final = (
    "/Conversations",
    "/Conversations/{Sid}",
    "/ConversationWithParticipants",
    "/Users",
    "/Users/{Sid}",
    "/Roles",
    "/Roles/{Sid}",
)
NAMED_CONVERSATION: Final = """
SELECT sid FROM conversation WHERE account_sid = $1 AND service_sid = $2 AND unique_name = $3
"""


@cache
def rate_scope_of(operation: Operation) -> RateScope | None:
    """Return what an operation is counted for in addition to the account; None: not counted."""
    path = operation.path.removeprefix("/v1").removeprefix("/Services/{ChatServiceSid}")
    if not operation.writes:
        return None
    if path.startswith(_OF_CONVERSATION):
        return "conversation"
    if path == "/Conversations/{Sid}" and operation.spec.verb == "Update":
        return "conversation"
    return "service" if path in _OF_SERVICE else None


class ActionRates:
    """Counts the changes of all accounts, and rejects changes above the rate."""

    def __init__(self, clock: Clock, per_second: int) -> None:
        self._clock = clock
        self._subjects = LeakyBuckets(per_second)
        self._accounts = LeakyBuckets(per_second * limits.ACTIONS_OF_ACCOUNT_FACTOR)

    def forget(self, _account_sid: str | None = None) -> None:
        """Discard the counted calls of all accounts: a reset of one is rare."""
        self._subjects.forget()
        self._accounts.forget()

    async def count(self, tx: Transaction, call: Call[Any]) -> None:
        """Count a call, once its scope is known. Raises 50063 or 50074, and counts nothing then.

        Idempotent for a call, whose transaction is repeated after a dry run or a conflict.
        """
        if call.is_rate_counted:
            return
        subject = rate_scope_of(call.operation)
        if subject is None:
            return
        counted_for: str | None = call.scope.service_sid
        if subject == "conversation":
            counted_for = await _conversation_of(tx, call)
        if counted_for is None:
            return  # No such conversation: the action raises 404.
        account_sid, now_ms = call.scope.account_sid, self._clock.monotonic_ms()
        # The account may not own this conversation: other accounts must not share its bucket.
        counted_for = f"{account_sid} {counted_for}"
        if not self._accounts.has_room(account_sid, now_ms):
            raise ApiError(50074, headers=RETRY_AFTER)
        if not self._subjects.has_room(counted_for, now_ms):
            raise ApiError(50063, headers=RETRY_AFTER)
        self._accounts.add(account_sid, now_ms)
        self._subjects.add(counted_for, now_ms)
        call.is_rate_counted = True


async def _conversation_of(tx: Transaction, call: Call[Any]) -> str | None:
    """Return the SID of the conversation in a path, which may contain its unique name."""
    named = call.path["ConversationSid" if "ConversationSid" in call.path else "Sid"]
    sid = sids.parse(sids.CONVERSATION, named)
    if sid is not None:
        return sid
    scope = call.scope
    row = await tx.one(NAMED_CONVERSATION, scope.account_sid, scope.service_sid, named)
    return None if row is None else str(row[0])


class LeakyBuckets:
    """Leaky buckets of one size, by name. Pure: the time in milliseconds is an argument."""

    def __init__(self, per_second: int, size_max: int = limits.ACTION_COUNTERS_MAX) -> None:
        self._interval_ms = 1000 / per_second
        self._size_max = size_max
        # The time at which each bucket is empty again, in LRU order.
        self._empty_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of buckets in memory."""
        return len(self._empty_at)

    def forget(self) -> None:
        """Empty all buckets."""
        self._empty_at.clear()

    def has_room(self, name: str, now_ms: float) -> bool:
        """Return whether one more fits. Half an interval of slack absorbs rounding errors."""
        waits_ms = self._empty_at.get(name, now_ms) - now_ms
        return waits_ms + self._interval_ms / 2 < limits.ACTIONS_WINDOW_MS

    def add(self, name: str, now_ms: float) -> None:
        """Add one; above the maximum of buckets the least recently used one is evicted."""
        empty_at = max(self._empty_at.pop(name, now_ms), now_ms) + self._interval_ms
        self._empty_at[name] = empty_at
        if len(self._empty_at) > self._size_max:
            self._empty_at.popitem(last=False)
