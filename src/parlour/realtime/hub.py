"""The hub: the connections and subscriptions of this process.

A notification is encoded once for all of its subscribers.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec
import structlog

from parlour.protocol import sync_events, twilsock_frames
from parlour.realtime.typing_limiter import TypingLimiter
from parlour.realtime.wire import encode_frame
from parlour.vocabulary import limits, sids
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from parlour.protocol.sync_events import Change
    from parlour.vocabulary.clock import Clock, Random
    from parlour.vocabulary.scope import Scope

log = structlog.get_logger()

# A subscription is a pair of a connection and a realtime object. Its state is one number, as
# publishing compares it for each subscriber:
#
# ============  ===================  ================================  =============================
# state         number               a published event is              next
# ============  ===================  ================================  =============================
# establishing  _ESTABLISHING        held back                         ``activate``: active
# active        last known event     sent if its number is higher,     ``pause``: paused
#                                    else dropped
# paused        _PAUSED              held back                         ``resume``: active
# ============  ===================  ================================  =============================
#
# ``begin_subscription`` puts any of them into establishing; ``unsubscribe``, ``revoke`` and
# ``remove`` end any of them and drop its held notifications.
#
# Invariants:
#
# - A connection gets the events of an object in ascending order, each at most once.
# - No event is lost between reading an object's state and activating its subscription, since the
#   state is read after ``begin_subscription``.
# - ``subscriber.subscribed`` has exactly the objects whose subscribers contain the subscriber.
# - A connection that is not in the hub has no subscriptions.
#
# Both constants are above every event number, so that one comparison finds the active ones.
_ESTABLISHING: Final = 1 << 62
_PAUSED: Final = _ESTABLISHING + 1

CONVERSATION_KINDS: Final = (ObjectKind.CONVERSATION, ObjectKind.MESSAGES, ObjectKind.ROSTER)


class UserKey(NamedTuple):
    """One user of one service."""

    account_sid: str
    service_sid: str
    identity: str


class TypingSignal(msgspec.Struct, frozen=True):
    """A typing indicator, as it is published to other nodes."""

    typist: UserKey
    conversation_sid: str
    participant_sid: str


_typing_decoder = msgspec.json.Decoder(TypingSignal)


class HeldNotifications:
    """Notifications held back for one connection, by the object's sid."""

    __slots__ = ("_by_sid", "_bytes", "_count", "_reserve")

    def __init__(self, reserve: Callable[[], None]) -> None:
        """``reserve`` is called above SOCKET_UNCOUNTED_BYTES, to reserve them in the byte pool."""
        self._by_sid: dict[str, list[tuple[int, bytes]]] = {}
        self._count = self._bytes = 0
        self._reserve = reserve

    def __len__(self) -> int:
        """Return the size of all held notifications, in bytes."""
        return self._bytes

    def add(self, sid: str, number: int, wire: bytes) -> bool:
        """Hold a notification back; return whether the limits allow it."""
        self._by_sid.setdefault(sid, []).append((number, wire))
        self._count += 1
        self._bytes += len(wire)
        if self._bytes > limits.SOCKET_UNCOUNTED_BYTES:
            self._reserve()
        return (
            self._count <= limits.HELD_NOTIFICATIONS_MAX
            and self._bytes <= limits.HELD_NOTIFICATIONS_BYTES_MAX
        )

    def take(self, sid: str, through: int = _ESTABLISHING) -> list[tuple[int, bytes]]:
        """Remove and return the notifications of one object up to an event."""
        # In ascending order, as they were published: the result is a prefix.
        queued = self._by_sid.pop(sid, [])
        found = [each for each in queued if each[0] <= through]
        if len(found) < len(queued):
            self._by_sid[sid] = queued[len(found) :]
        self._count -= len(found)
        self._bytes -= sum(len(wire) for _, wire in found)
        return found


class Subscriber(Protocol):
    """A connection, as the hub uses it."""

    user_key: UserKey
    user_sid: str
    subscribed: dict[str, ObjectName]
    held_notifications: HeldNotifications

    def push(self, wire: bytes, frames: int = 1) -> None:
        """Send ``frames`` frames, encoded already."""
        ...

    def overflow(self) -> None:
        """Close the connection: too many notifications are held back."""
        ...


class PausedSubscription(msgspec.Struct):
    """A subscription whose notifications are held back for now."""

    subscriber: Subscriber
    name: ObjectName
    after: int
    """The last event known to the client."""
    last: int
    """The last event that was sent, or is about to be sent."""


class Hub:
    """The connections and subscriptions of this process."""

    def __init__(self, random: Random, clock: Clock) -> None:
        self._random = random
        self._typing_limiter = TypingLimiter(clock)
        self._of_user: dict[UserKey, dict[Subscriber, None]] = {}
        self._of_account: Counter[str] = Counter()
        self._subscribers: dict[str, dict[Subscriber, int]] = {}
        self._last_published: dict[str, int] = {}
        self.on_presence_change: Callable[[UserKey], None] | None = None
        """Called for a user's first connection and last."""
        self.relay_typing: Callable[[bytes], None] | None = None
        """Publishes a typing indicator to other nodes."""

    def __len__(self) -> int:
        """Return the number of connections."""
        return self._of_account.total()

    def add(self, subscriber: Subscriber) -> None:
        """Register a connection."""
        own = self._of_user.setdefault(subscriber.user_key, {})
        own[subscriber] = None
        self._of_account[subscriber.user_key.account_sid] += 1
        if len(own) == 1 and self.on_presence_change is not None:
            self.on_presence_change(subscriber.user_key)

    def remove(self, subscriber: Subscriber) -> None:
        """Remove a connection with all of its subscriptions."""
        own = self._of_user.get(subscriber.user_key)
        if own is None or subscriber not in own:
            return
        for sid in list(subscriber.subscribed):
            self._remove_subscription(subscriber, sid)
        del own[subscriber]
        self._of_account[subscriber.user_key.account_sid] -= 1
        if not self._of_account[subscriber.user_key.account_sid]:
            del self._of_account[subscriber.user_key.account_sid]
        if not own:
            del self._of_user[subscriber.user_key]
            if self.on_presence_change is not None:
                self.on_presence_change(subscriber.user_key)

    def connections_of(self, key: UserKey) -> list[Subscriber]:
        """Return the connections of a user."""
        return list(self._of_user.get(key, ()))

    def users(self) -> list[UserKey]:
        """Return all connected users."""
        return list(self._of_user)

    def users_of_service(self, account_sid: str, service_sid: str) -> list[UserKey]:
        """Return the connected users of a service."""
        service = (account_sid, service_sid)
        return [key for key in self._of_user if (key.account_sid, key.service_sid) == service]

    def connections_of_account(self, account_sid: str) -> Iterator[Subscriber]:
        """Iterate over the connections of an account's users."""
        for key, own in list(self._of_user.items()):
            if key.account_sid == account_sid:
                yield from list(own)

    def forget_typing(self) -> None:
        """Discard the rate limits of typing indicators."""
        self._typing_limiter.forget()

    # --- Subscriptions -----------------------------------------------------------------------

    def begin_subscription(self, subscriber: Subscriber, name: ObjectName) -> None:
        """Start a subscription; its notifications are held back until ``activate``."""
        sid = name.sid
        if subscriber not in self._of_user.get(subscriber.user_key, ()):
            return  # Closed already: no one would ever remove the subscription.
        subscriber.subscribed[sid] = name
        self._subscribers.setdefault(sid, {})[subscriber] = _ESTABLISHING

    def activate(self, subscriber: Subscriber, name: ObjectName, after: int) -> None:
        """Send held notifications and further events with a number above ``after``."""
        sid = name.sid
        subscribers = self._subscribers.get(sid)
        if subscribers is None or subscriber not in subscribers:
            return  # Closed or revoked while its state was read.
        subscribers[subscriber] = after
        # The replay was sent up to ``after``.
        self._last_published[sid] = max(after, self._last_published.get(sid, 0))
        for number, wire in subscriber.held_notifications.take(sid):
            if number > after:
                subscriber.push(wire)

    def pause(self, subscriber: Subscriber, name: ObjectName) -> PausedSubscription | None:
        """Hold back notifications of one object; return None unless the subscription is active."""
        subscribers = self._subscribers.get(name.sid, {})
        after = subscribers.get(subscriber, _ESTABLISHING)
        if after >= _ESTABLISHING:
            return None
        subscribers[subscriber] = _PAUSED
        return PausedSubscription(subscriber, name, after, self._last_published.get(name.sid, 0))

    def push_through(self, pause: PausedSubscription, number: int) -> None:
        """Send the held notifications up to an event."""
        if self._is_paused(pause):
            for last, wire in pause.subscriber.held_notifications.take(pause.name.sid, number):
                pause.subscriber.push(wire)
                pause.last = last

    def resume(self, pause: PausedSubscription) -> None:
        """Send the held notifications and activate the subscription."""
        if self._is_paused(pause):
            self.activate(pause.subscriber, pause.name, pause.after)

    def _is_paused(self, pause: PausedSubscription) -> bool:
        """Whether the subscription is still paused: it may have ended or been established again."""
        return self._subscribers.get(pause.name.sid, {}).get(pause.subscriber) == _PAUSED

    def unsubscribe(self, subscriber: Subscriber, sid: str) -> None:
        """End a subscription, if there is one."""
        if sid in subscriber.subscribed:
            self._remove_subscription(subscriber, sid)

    def _remove_subscription(self, subscriber: Subscriber, sid: str) -> None:
        del subscriber.subscribed[sid]
        subscriber.held_notifications.take(sid)
        subscribers = self._subscribers[sid]
        del subscribers[subscriber]
        if not subscribers:
            del self._subscribers[sid]
            self._last_published.pop(sid, None)

    def revoke(self, key: UserKey, names: list[ObjectName]) -> None:
        """End a user's subscriptions to objects that became invisible."""
        for subscriber in self.connections_of(key):
            for name in names:
                self.unsubscribe(subscriber, name.sid)

    def subscribers_of(self, name: ObjectName) -> list[Subscriber]:
        """Return the subscribers of an object."""
        return list(self._subscribers.get(name.sid, ()))

    def has_subscribers(self, name: ObjectName) -> bool:
        """Whether an object has subscribers."""
        return name.sid in self._subscribers

    def has_conversation_subscribers(self, conversation_sid: str) -> bool:
        """Whether any object of a conversation has subscribers."""
        return any(
            self.has_subscribers(ObjectName(kind, conversation_sid)) for kind in CONVERSATION_KINDS
        )

    # --- Publishing ----------------------------------------------------------------------------

    def publish(self, changes: Sequence[Change], number: int, date_ms: int) -> None:
        """Notify the subscribers of one event's changes, in this order."""
        deliveries: list[tuple[str, dict[Subscriber, int], bytes]] = []
        for change in changes:
            subscribers = self._subscribers.get(change.name.sid)
            if subscribers:
                payload = sync_events.live_payload(change, number, date_ms)
                wire = self.encode_notification(
                    sync_events.LIVE_TYPES[change.name.kind.type], payload
                )
                deliveries.append((change.name.sid, subscribers, wire))
                self._last_published[change.name.sid] = number
        if len(deliveries) == 2:
            # A message changes the list and the document: subscribers of both get one write.
            deliveries = self._publish_pair(deliveries, number)
        for sid, subscribers, wire in deliveries:
            # A copy: a push may close a slow connection, which removes its subscriptions.
            for subscriber, after in list(subscribers.items()):
                self._deliver(subscriber, sid, after, number, wire)

    @staticmethod
    def _publish_pair(
        deliveries: list[tuple[str, dict[Subscriber, int], bytes]], number: int
    ) -> list[tuple[str, dict[Subscriber, int], bytes]]:
        """Notify the subscribers of both objects; return the remaining deliveries."""
        (one_sid, one, one_wire), (other_sid, other, other_wire) = deliveries
        wire = one_wire + other_wire
        both = {
            subscriber
            for subscriber, after in one.items()
            if after < number and other.get(subscriber, _ESTABLISHING) < number
        }
        for subscriber in both:
            subscriber.push(wire, 2)
        return [
            (one_sid, {key: one[key] for key in one if key not in both}, one_wire),
            (other_sid, {key: other[key] for key in other if key not in both}, other_wire),
        ]

    @staticmethod
    def _deliver(subscriber: Subscriber, sid: str, after: int, number: int, wire: bytes) -> None:
        if after < number:
            subscriber.push(wire)
        elif after >= _ESTABLISHING and not subscriber.held_notifications.add(sid, number, wire):
            subscriber.overflow()

    def encode_notification(self, message_type: str, payload: bytes) -> bytes:
        """Return a notification as its bytes on the wire."""
        header = twilsock_frames.notification(self._random.sid(sids.FRAME), message_type)
        return encode_frame(twilsock_frames.write(header, payload))

    def publish_typing(
        self, scope: Scope, conversation_sid: str, participant_sid: str, identity: str
    ) -> None:
        """Publish a typing indicator to the other members on all nodes, rate limited."""
        typist = UserKey(scope.account_sid, scope.service_sid, identity)
        if not self._typing_limiter.is_due(typist, conversation_sid):
            return
        signal = TypingSignal(typist, conversation_sid, participant_sid)
        self._broadcast_typing(signal)
        if self.relay_typing is not None:
            self.relay_typing(msgspec.json.encode(signal))

    def on_remote_typing(self, signal: bytes) -> None:
        """Publish a typing indicator of another node to the members connected here."""
        try:
            typing = _typing_decoder.decode(signal)
        except (ValueError, RecursionError):  # Published by a node of another version.
            log.warning("remote_typing_rejected")
            return
        if self._typing_limiter.is_due(typing.typist, typing.conversation_sid):
            self._broadcast_typing(typing)

    def _broadcast_typing(self, signal: TypingSignal) -> None:
        payload = sync_events.typing_payload(
            signal.conversation_sid,
            signal.participant_sid,
            signal.typist.identity,
            limits.TYPING_SECONDS + 1,
        )
        wire = self.encode_notification(sync_events.TYPING, payload)
        for subscriber in self.subscribers_of(
            ObjectName(ObjectKind.ROSTER, signal.conversation_sid)
        ):
            if subscriber.user_key != signal.typist:
                subscriber.push(wire)
