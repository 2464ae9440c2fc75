"""Who is connected and who listens to what, in this process; news is encoded once for all.

A listener has, for each object, the number of the last event it knows of: what is not newer is
not sent. While its state and number are still being read, news for it is held back, so nothing is
lost between the two and nothing comes before what it builds on.
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

_ESTABLISHING: Final = 1 << 62
"""The number of a listener whose own is not known yet."""
_PAUSED: Final = _ESTABLISHING + 1
"""The number of a listener that is paused."""

CONVERSATION_KINDS: Final = (ObjectKind.CONVERSATION, ObjectKind.MESSAGES, ObjectKind.ROSTER)


class UserKey(NamedTuple):
    """One user of one service."""

    account_sid: str
    service_sid: str
    identity: str


class TypingSignal(msgspec.Struct, frozen=True):
    """Somebody types in a conversation."""

    typist: UserKey
    conversation_sid: str
    participant_sid: str


_typing_decoder = msgspec.json.Decoder(TypingSignal)


class HeldNotifications:
    """Notifications that are held back for one listener, by the object's sid."""

    __slots__ = ("_by_sid", "_bytes", "_count", "_reserve")

    def __init__(self, reserve: Callable[[], None]) -> None:
        """``reserve`` is called when much is held back: it is reserved in the byte pool."""
        self._by_sid: dict[str, list[tuple[int, bytes]]] = {}
        self._count = self._bytes = 0
        self._reserve = reserve

    def __len__(self) -> int:
        """How many bytes are held back."""
        return self._bytes

    def add(self, sid: str, number: int, wire: bytes) -> bool:
        """Hold one back; return whether there was room for it."""
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
        """Return those of one object up to a number, which are not held any more."""
        queued = self._by_sid.pop(sid, [])
        found = [each for each in queued if each[0] <= through]
        if len(found) < len(queued):
            self._by_sid[sid] = queued[len(found) :]
        self._count -= len(found)
        self._bytes -= sum(len(wire) for _, wire in found)
        return found


class Subscriber(Protocol):
    """One connection, as the hub sees it."""

    user_key: UserKey
    user_sid: str
    subscribed: dict[str, ObjectName]
    held_notifications: HeldNotifications

    def push(self, wire: bytes, frames: int = 1) -> None:
        """Send so many frames, which are encoded already."""
        ...

    def overflow(self) -> None:
        """End the connection: too much is held back for it."""
        ...


class PausedSubscription(msgspec.Struct):
    """A listener that is sent nothing of one object for now."""

    subscriber: Subscriber
    name: ObjectName
    after: int
    """What it knows of."""
    last: int
    """The last event that it was sent, or is about to be sent."""


class Hub:
    """The connections of this process."""

    def __init__(self, random: Random, clock: Clock) -> None:
        self._random = random
        self._typing_limiter = TypingLimiter(clock)
        self._of_user: dict[UserKey, dict[Subscriber, None]] = {}
        self._of_account: Counter[str] = Counter()
        self._subscribers: dict[str, dict[Subscriber, int]] = {}
        self._last_published: dict[str, int] = {}
        self.on_presence_change: Callable[[UserKey], None] | None = None
        """Told of a user's first connection and last."""
        self.relay_typing: Callable[[bytes], None] | None = None
        """Takes to other nodes that somebody types here."""

    def __len__(self) -> int:
        """How many connections there are."""
        return self._of_account.total()

    def add(self, subscriber: Subscriber) -> None:
        """A user has connected."""
        own = self._of_user.setdefault(subscriber.user_key, {})
        own[subscriber] = None
        self._of_account[subscriber.user_key.account_sid] += 1
        if len(own) == 1 and self.on_presence_change is not None:
            self.on_presence_change(subscriber.user_key)

    def remove(self, subscriber: Subscriber) -> None:
        """A connection is gone, with everything it listened to."""
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
        """Every connection of a user."""
        return list(self._of_user.get(key, ()))

    def users(self) -> list[UserKey]:
        """Every user who is connected."""
        return list(self._of_user)

    def users_of_service(self, account_sid: str, service_sid: str) -> list[UserKey]:
        """Every user of a service who is connected."""
        mine = (account_sid, service_sid)
        return [key for key in self._of_user if (key.account_sid, key.service_sid) == mine]

    def connections_of_account(self, account_sid: str) -> Iterator[Subscriber]:
        """Every connection of an account's users."""
        for key, own in list(self._of_user.items()):
            if key.account_sid == account_sid:
                yield from list(own)

    # --- Listening --------------------------------------------------------------------------

    def begin_subscription(self, subscriber: Subscriber, name: ObjectName) -> None:
        """Begin to listen: news is held back until it is known what the listener has seen."""
        sid = name.sid
        if subscriber not in self._of_user.get(subscriber.user_key, ()):
            return  # It has gone: nothing would ever remove it.
        subscriber.subscribed[sid] = name
        self._subscribers.setdefault(sid, {})[subscriber] = _ESTABLISHING

    def activate(self, subscriber: Subscriber, name: ObjectName, after: int) -> None:
        """Send everything with a higher number from now on, and what was held back."""
        sid = name.sid
        subscribers = self._subscribers.get(sid)
        if subscribers is None or subscriber not in subscribers:
            return  # It went away, or lost its right, while its state was read.
        subscribers[subscriber] = after
        self._last_published[sid] = max(
            after, self._last_published.get(sid, 0)
        )  # It was sent the replay up to here.
        for number, wire in subscriber.held_notifications.take(sid):
            if number > after:
                subscriber.push(wire)

    def pause(self, subscriber: Subscriber, name: ObjectName) -> PausedSubscription | None:
        """Hold news of one object back from one listener; None unless it is sent such news."""
        subscribers = self._subscribers.get(name.sid, {})
        after = subscribers.get(subscriber, _ESTABLISHING)
        if after >= _ESTABLISHING:
            return None
        subscribers[subscriber] = _PAUSED
        return PausedSubscription(subscriber, name, after, self._last_published.get(name.sid, 0))

    def push_through(self, pause: PausedSubscription, number: int) -> None:
        """Send what was held back up to an event."""
        if self._is_paused(pause):
            for last, wire in pause.subscriber.held_notifications.take(pause.name.sid, number):
                pause.subscriber.push(wire)
                pause.last = last

    def resume(self, pause: PausedSubscription) -> None:
        """Send what was held back, and everything from now on."""
        if self._is_paused(pause):
            self.activate(pause.subscriber, pause.name, pause.after)

    def _is_paused(self, pause: PausedSubscription) -> bool:
        """Whether it still is: it may have gone, or subscribed to the object again."""
        return self._subscribers.get(pause.name.sid, {}).get(pause.subscriber) == _PAUSED

    def unsubscribe(self, subscriber: Subscriber, sid: str) -> None:
        """Send nothing more of an object."""
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
        """A user may not see these objects any more."""
        for subscriber in self.connections_of(key):
            for name in names:
                self.unsubscribe(subscriber, name.sid)

    def subscribers_of(self, name: ObjectName) -> list[Subscriber]:
        """Whoever listens to an object."""
        return list(self._subscribers.get(name.sid, ()))

    def has_subscribers(self, name: ObjectName) -> bool:
        """Whether anybody listens to an object."""
        return name.sid in self._subscribers

    def has_conversation_subscribers(self, conversation_sid: str) -> bool:
        """Whether anybody listens to a conversation."""
        return any(
            self.has_subscribers(ObjectName(kind, conversation_sid)) for kind in CONVERSATION_KINDS
        )

    # --- News -------------------------------------------------------------------------------

    def publish(self, changes: Sequence[Change], number: int, date_ms: int) -> None:
        """Tell every listener of what one event has changed, in this order."""
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
            # A message changes the list and the document: who hears of both gets one write.
            deliveries = self._publish_pair(deliveries, number)
        for sid, subscribers, wire in deliveries:
            for subscriber, after in list(subscribers.items()):
                self._deliver(subscriber, sid, after, number, wire)

    @staticmethod
    def _publish_pair(
        deliveries: list[tuple[str, dict[Subscriber, int], bytes]], number: int
    ) -> list[tuple[str, dict[Subscriber, int], bytes]]:
        """Tell those who hear of both; what is left to be told to the others."""
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
        """A notification as its bytes go over the wire."""
        header = twilsock_frames.notification(self._random.sid(sids.FRAME), message_type)
        return encode_frame(twilsock_frames.write(header, payload))

    def publish_typing(
        self, scope: Scope, conversation_sid: str, participant_sid: str, identity: str
    ) -> None:
        """Tell the other members of a conversation that somebody types, on every node."""
        typist = UserKey(scope.account_sid, scope.service_sid, identity)
        if not self._typing_limiter.is_due(typist, conversation_sid):
            return
        signal = TypingSignal(typist, conversation_sid, participant_sid)
        self._broadcast_typing(signal)
        if self.relay_typing is not None:
            self.relay_typing(msgspec.json.encode(signal))

    def on_remote_typing(self, signal: bytes) -> None:
        """Tell the members connected here what another node has said."""
        try:
            typing = _typing_decoder.decode(signal)
        except msgspec.DecodeError:  # Of a node that is newer or older than this one.
            log.warning("remote_typing_invalid")
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
