"""Actions per second: the hosted API's limits on changes, where ``--actions-per-second`` asks.

| change                                              | counted for      | beyond it |
|-----------------------------------------------------|------------------|-----------|
| participants, messages, update of a conversation    | its conversation | 50063     |
| new or removed conversations; users; roles          | its service      | 50063     |
| all of these                                        | the account      | 50074     |

Reads, settings, webhooks and uploads are not counted, nor is what the server does by itself. Calls
of client SDKs are counted like those of REST. A call that is refused here takes nothing, and has
changed nothing; one that fails for another reason has been counted.

The rate is an average over ACTIONS_WINDOW_MS, as the hosted service measures it, so a short burst
passes. Counters are leaky buckets in the form of the generic cell rate algorithm: one number per
subject, the time at which its bucket is empty again. Each process counts for itself.
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
    """What an operation's calls are counted for, besides the account; None: not counted."""
    path = operation.path.removeprefix("/v1").removeprefix("/Services/{ChatServiceSid}")
    if not operation.writes:
        return None
    if path.startswith(_OF_CONVERSATION):
        return "conversation"
    if path == "/Conversations/{Sid}" and operation.spec.verb == "Update":
        return "conversation"
    return "service" if path in _OF_SERVICE else None


class ActionRates:
    """Counts the changes of all accounts, and refuses those beyond the rate."""

    def __init__(self, clock: Clock, per_second: int) -> None:
        self._clock = clock
        self._subjects = LeakyBuckets(per_second)
        self._accounts = LeakyBuckets(per_second * limits.ACTIONS_OF_ACCOUNT_FACTOR)

    async def count(self, tx: Transaction, call: Call[Any]) -> None:
        """Count a call once, whose scope is known. Raises 50063 or 50074, and counts nothing then.

        A transaction that is run again, as after a dry run or a conflict, is the same call.
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
            return  # No such conversation: the action answers so.
        account_sid, now_ms = call.scope.account_sid, self._clock.monotonic_ms()
        # It is not known yet whether the account has this conversation.
        counted_for = f"{account_sid} {counted_for}"
        if not self._accounts.has_room(account_sid, now_ms):
            raise ApiError(50074, headers=RETRY_AFTER)
        if not self._subjects.has_room(counted_for, now_ms):
            raise ApiError(50063, headers=RETRY_AFTER)
        self._accounts.add(account_sid, now_ms)
        self._subjects.add(counted_for, now_ms)
        call.is_rate_counted = True


async def _conversation_of(tx: Transaction, call: Call[Any]) -> str | None:
    """The SID of the conversation in a path, which may be given by its unique name."""
    named = call.path["ConversationSid" if "ConversationSid" in call.path else "Sid"]
    sid = sids.parse(sids.CONVERSATION, named)
    if sid is not None:
        return sid
    scope = call.scope
    row = await tx.one(NAMED_CONVERSATION, scope.account_sid, scope.service_sid, named)
    return None if row is None else str(row[0])


class LeakyBuckets:
    """Leaky buckets of one size, by name. Pure: the time is passed in, in milliseconds."""

    def __init__(self, per_second: int, size_max: int = limits.ACTION_COUNTERS_MAX) -> None:
        self._interval_ms = 1000 / per_second
        self._size_max = size_max
        # By name, the least recently used first: when the bucket is empty again.
        self._empty_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """Buckets in memory."""
        return len(self._empty_at)

    def has_room(self, name: str, now_ms: float) -> bool:
        """Whether one more fits. Half an interval of slack absorbs the rounding of sums."""
        waits_ms = self._empty_at.get(name, now_ms) - now_ms
        return waits_ms + self._interval_ms / 2 < limits.ACTIONS_WINDOW_MS

    def add(self, name: str, now_ms: float) -> None:
        """Add one; beyond the bound on buckets the least recently used one is forgotten."""
        empty_at = max(self._empty_at.pop(name, now_ms), now_ms) + self._interval_ms
        self._empty_at[name] = empty_at
        if len(self._empty_at) > self._size_max:
            self._empty_at.popitem(last=False)
