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
from parlour.realtime.typists import Typists
from parlour.realtime.wire import encoded
from parlour.vocabulary import limits, sids
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from parlour.protocol.sync_events import Change
    from parlour.vocabulary.clock import Clock, Random
    from parlour.vocabulary.scope import Scope

log = structlog.get_logger()

_HELD: Final = 1 << 62
"""The number of a listener whose own is not known yet."""
_PAUSED: Final = _HELD + 1
"""The number of a listener that is paused."""

CONVERSATION_KINDS: Final = (ObjectKind.CONVERSATION, ObjectKind.MESSAGES, ObjectKind.ROSTER)


class UserKey(NamedTuple):
    """One user of one service."""

    account_sid: str
    service_sid: str
    identity: str


class Typing(msgspec.Struct, frozen=True):
    """Somebody types in a conversation."""

    typist: UserKey
    conversation_sid: str
    participant_sid: str


_typing = msgspec.json.Decoder(Typing)


class Held:
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
        return self._count <= limits.HELD_NEWS_MAX and self._bytes <= limits.HELD_NEWS_BYTES_MAX

    def take(self, sid: str, through: int = _HELD) -> list[tuple[int, bytes]]:
        """Return those of one object up to a number, which are not held any more."""
        waiting = self._by_sid.pop(sid, [])
        found = [each for each in waiting if each[0] <= through]
        if len(found) < len(waiting):
            self._by_sid[sid] = waiting[len(found) :]
        self._count -= len(found)
        self._bytes -= sum(len(wire) for _, wire in found)
        return found


class Listener(Protocol):
    """One connection, as the hub sees it."""

    user_key: UserKey
    user_sid: str
    listening: dict[str, ObjectName]
    held: Held

    def push(self, wire: bytes, frames: int = 1) -> None:
        """Send so many frames, which are encoded already."""
        ...

    def overflow(self) -> None:
        """End the connection: too much is held back for it."""
        ...


class Pause(msgspec.Struct):
    """A listener that is sent nothing of one object for now."""

    listener: Listener
    name: ObjectName
    after: int
    """What it knows of."""
    last: int
    """The last event that it was sent, or is about to be sent."""


class Hub:
    """The connections of this process."""

    def __init__(self, random: Random, clock: Clock) -> None:
        self._random = random
        self._typists = Typists(clock)
        self._of_user: dict[UserKey, dict[Listener, None]] = {}
        self._of_account: Counter[str] = Counter()
        self._listeners: dict[str, dict[Listener, int]] = {}
        self._last: dict[str, int] = {}
        self.presence: Callable[[UserKey], None] | None = None
        """Told of a user's first connection and last."""
        self.relay: Callable[[bytes], None] | None = None
        """Takes to other nodes that somebody types here."""

    def __len__(self) -> int:
        """How many connections there are."""
        return self._of_account.total()

    def enter(self, listener: Listener) -> None:
        """A user has connected."""
        own = self._of_user.setdefault(listener.user_key, {})
        own[listener] = None
        self._of_account[listener.user_key.account_sid] += 1
        if len(own) == 1 and self.presence is not None:
            self.presence(listener.user_key)

    def leave(self, listener: Listener) -> None:
        """A connection is gone, with everything it listened to."""
        own = self._of_user.get(listener.user_key)
        if own is None or listener not in own:
            return
        for sid in list(listener.listening):
            self._forget(listener, sid)
        del own[listener]
        self._of_account[listener.user_key.account_sid] -= 1
        if not self._of_account[listener.user_key.account_sid]:
            del self._of_account[listener.user_key.account_sid]
        if not own:
            del self._of_user[listener.user_key]
            if self.presence is not None:
                self.presence(listener.user_key)

    def connections_of(self, key: UserKey) -> list[Listener]:
        """Every connection of a user."""
        return list(self._of_user.get(key, ()))

    def users(self) -> list[UserKey]:
        """Every user who is connected."""
        return list(self._of_user)

    def users_of(self, account_sid: str, service_sid: str) -> list[UserKey]:
        """Every user of a service who is connected."""
        mine = (account_sid, service_sid)
        return [key for key in self._of_user if (key.account_sid, key.service_sid) == mine]

    def of_account(self, account_sid: str) -> Iterator[Listener]:
        """Every connection of an account's users."""
        for key, own in list(self._of_user.items()):
            if key.account_sid == account_sid:
                yield from list(own)

    # --- Listening --------------------------------------------------------------------------

    def hold(self, listener: Listener, name: ObjectName) -> None:
        """Begin to listen: news is held back until it is known what the listener has seen."""
        sid = name.sid
        if listener not in self._of_user.get(listener.user_key, ()):
            return  # It has gone: nothing would ever remove it.
        listener.listening[sid] = name
        self._listeners.setdefault(sid, {})[listener] = _HELD

    def listen(self, listener: Listener, name: ObjectName, after: int) -> None:
        """Send everything with a higher number from now on, and what was held back."""
        sid = name.sid
        listeners = self._listeners.get(sid)
        if listeners is None or listener not in listeners:
            return  # It went away, or lost its right, while its state was read.
        listeners[listener] = after
        self._last[sid] = max(after, self._last.get(sid, 0))  # It was sent the replay up to here.
        for number, wire in listener.held.take(sid):
            if number > after:
                listener.push(wire)

    def pause(self, listener: Listener, name: ObjectName) -> Pause | None:
        """Hold news of one object back from one listener; None unless it is sent such news."""
        listeners = self._listeners.get(name.sid, {})
        after = listeners.get(listener, _HELD)
        if after >= _HELD:
            return None
        listeners[listener] = _PAUSED
        return Pause(listener, name, after, self._last.get(name.sid, 0))

    def push_through(self, pause: Pause, number: int) -> None:
        """Send what was held back up to an event."""
        if self._is_paused(pause):
            for last, wire in pause.listener.held.take(pause.name.sid, number):
                pause.listener.push(wire)
                pause.last = last

    def resume(self, pause: Pause) -> None:
        """Send what was held back, and everything from now on."""
        if self._is_paused(pause):
            self.listen(pause.listener, pause.name, pause.after)

    def _is_paused(self, pause: Pause) -> bool:
        """Whether it still is: it may have gone, or subscribed to the object again."""
        return self._listeners.get(pause.name.sid, {}).get(pause.listener) == _PAUSED

    def unlisten(self, listener: Listener, sid: str) -> None:
        """Send nothing more of an object."""
        if sid in listener.listening:
            self._forget(listener, sid)

    def _forget(self, listener: Listener, sid: str) -> None:
        del listener.listening[sid]
        listener.held.take(sid)
        listeners = self._listeners[sid]
        del listeners[listener]
        if not listeners:
            del self._listeners[sid]
            self._last.pop(sid, None)

    def revoke(self, key: UserKey, names: list[ObjectName]) -> None:
        """A user may not see these objects any more."""
        for listener in self.connections_of(key):
            for name in names:
                self.unlisten(listener, name.sid)

    def listeners_of(self, name: ObjectName) -> list[Listener]:
        """Whoever listens to an object."""
        return list(self._listeners.get(name.sid, ()))

    def is_heard(self, name: ObjectName) -> bool:
        """Whether anybody listens to an object."""
        return name.sid in self._listeners

    def is_of_interest(self, conversation_sid: str) -> bool:
        """Whether anybody listens to a conversation."""
        return any(self.is_heard(ObjectName(kind, conversation_sid)) for kind in CONVERSATION_KINDS)

    # --- News -------------------------------------------------------------------------------

    def publish(self, changes: Sequence[Change], number: int, date_ms: int) -> None:
        """Tell every listener of what one event has changed, in this order."""
        told: list[tuple[str, dict[Listener, int], bytes]] = []
        for change in changes:
            listeners = self._listeners.get(change.name.sid)
            if listeners:
                payload = sync_events.live_payload(change, number, date_ms)
                wire = self.news(sync_events.LIVE_TYPES[change.name.kind.type], payload)
                told.append((change.name.sid, listeners, wire))
                self._last[change.name.sid] = number
        if len(told) == 2:
            # A message changes the list and the document: who hears of both gets one write.
            told = self._publish_two(told, number)
        for sid, listeners, wire in told:
            for listener, after in list(listeners.items()):
                self._tell(listener, sid, after, number, wire)

    @staticmethod
    def _publish_two(
        told: list[tuple[str, dict[Listener, int], bytes]], number: int
    ) -> list[tuple[str, dict[Listener, int], bytes]]:
        """Tell those who hear of both; what is left to be told to the others."""
        (one_sid, one, one_wire), (other_sid, other, other_wire) = told
        wire = one_wire + other_wire
        both = {
            listener
            for listener, after in one.items()
            if after < number and other.get(listener, _HELD) < number
        }
        for listener in both:
            listener.push(wire, 2)
        return [
            (one_sid, {key: one[key] for key in one if key not in both}, one_wire),
            (other_sid, {key: other[key] for key in other if key not in both}, other_wire),
        ]

    @staticmethod
    def _tell(listener: Listener, sid: str, after: int, number: int, wire: bytes) -> None:
        if after < number:
            listener.push(wire)
        elif after >= _HELD and not listener.held.add(sid, number, wire):
            listener.overflow()

    def news(self, message_type: str, payload: bytes) -> bytes:
        """A notification as its bytes go over the wire."""
        header = twilsock_frames.notification(self._random.sid(sids.FRAME), message_type)
        return encoded(twilsock_frames.write(header, payload))

    def typing(
        self, scope: Scope, conversation_sid: str, participant_sid: str, identity: str
    ) -> None:
        """Tell the other members of a conversation that somebody types, on every node."""
        typist = UserKey(scope.account_sid, scope.service_sid, identity)
        if not self._typists.is_due(typist, conversation_sid):
            return
        said = Typing(typist, conversation_sid, participant_sid)
        self._tell_typing(said)
        if self.relay is not None:
            self.relay(msgspec.json.encode(said))

    def typed_elsewhere(self, said: bytes) -> None:
        """Tell the members connected here what another node has said."""
        try:
            typing = _typing.decode(said)
        except msgspec.DecodeError:  # Of a node that is newer or older than this one.
            log.warning("typing_not_understood")
            return
        if self._typists.is_due(typing.typist, typing.conversation_sid):
            self._tell_typing(typing)

    def _tell_typing(self, said: Typing) -> None:
        payload = sync_events.typing_payload(
            said.conversation_sid,
            said.participant_sid,
            said.typist.identity,
            limits.TYPING_SECONDS + 1,
        )
        wire = self.news(sync_events.TYPING, payload)
        for listener in self.listeners_of(ObjectName(ObjectKind.ROSTER, said.conversation_sid)):
            if listener.user_key != said.typist:
                listener.push(wire)
