"""Subscribing to objects: replay of what was missed, then everything as it happens.

The client names its objects with the number of the last event it knows of each. For a
conversation that did not change since, nothing is looked at. For one that did, the events after
that number are found in the log and told again, and then the subscription is confirmed. Where the
log does not reach back so far, or too much has happened, the conversation begins anew: it is
taken from the user's map and put in again, and the client reads it afresh.

News that comes while this is read is held back by the hub, so nothing falls between.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from parlour.protocol import sync_events
from parlour.protocol.sync_events import ADDED, ITEM_REMOVED, UPDATED, Change
from parlour.realtime import objects
from parlour.realtime.recency import Recency, user_key
from parlour.realtime.replay import Missed, Replay
from parlour.realtime.visibility import Visibility
from parlour.resources.participants import representation as participant_representation
from parlour.resources.participants import store as participant_store
from parlour.vocabulary import limits, sids
from parlour.vocabulary import realtime_objects as names
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from parlour.realtime.connection import Connection
    from parlour.realtime.hub import Hub
    from parlour.realtime.session import Session, TunnelReply, TunnelRequest
    from parlour.realtime.turns import Turns
    from parlour.resources.participants.store import Participant
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Clock

_ESTABLISH: Final = "establish"
_CANCEL: Final = "cancel"
_ACCEPTED: Final = {
    "max_batch_size": limits.SUBSCRIPTIONS_PER_REQUEST_MAX,
    "estimated_delivery_in_ms": 10_000,
    "ttl_in_s": -1,
}


EventNumber = Annotated[int, msgspec.Meta(ge=-1, le=(1 << 53) - 1)]
"""What a client may know as the number of an event: an integer of JavaScript; -1 for none yet."""
Correlation = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=(1 << 53) - 1)]


class Wanted(msgspec.Struct, frozen=True):
    """One object of a request; without a number nothing is told again."""

    object_sid: str
    object_type: str
    last_event_id: EventNumber | None = None


class Request(msgspec.Struct, frozen=True):
    """The body of a request for subscriptions."""

    action: str
    requests: list[Wanted]
    correlation_id: Correlation | None = None


@dataclass(slots=True)
class _Found:
    """One object that was asked for, and what the user may see of it."""

    wanted: Wanted
    name: ObjectName | None
    is_lost: bool = False

    @property
    def after(self) -> int | None:
        """The number of the last event that the client knows of."""
        return self.wanted.last_event_id

    @property
    def seen(self) -> ObjectName:
        """The object, where the user may see it."""
        assert self.name is not None
        return self.name

    @property
    def is_replayed(self) -> bool:
        """Whether what was missed of it is found in the log."""
        return self.after is not None and self.seen.kind.owner == sids.CONVERSATION

    def number(self, base: int) -> int:
        """From which number on the client is told: what it had was perhaps read just now."""
        return max(base, self.wanted.last_event_id or 0)


_request = msgspec.json.Decoder(Request)


class Subscriptions:
    """Answers ``POST /v4/Subscriptions``."""

    def __init__(
        self, store: Store, hub: Hub, recency: Recency, clock: Clock, *, turns: Turns
    ) -> None:
        self._store = store
        self._hub = hub
        self._recency = recency
        self._clock = clock
        self._turns = turns

    async def answer(self, connection: Connection, request: TunnelRequest) -> TunnelReply:
        """Begin or end listening to the objects of a request."""
        asked = _asked(request.take_body())
        if asked is None:
            return objects.refusal(HTTPStatus.BAD_REQUEST, 54000, "Invalid subscription request")
        # The answer goes first. The client gives up its plan to subscribe to what it has opened
        # meanwhile when the answer comes, and makes a new one when a confirmation does.
        work = self._cancel if asked.action == _CANCEL else self._establish
        return objects.reply(HTTPStatus.ACCEPTED, _ACCEPTED, partial(work, connection, asked))

    async def _cancel(self, connection: Connection, asked: Request) -> None:
        for wanted in asked.requests:
            self._hub.unlisten(connection, wanted.object_sid)
        replay = self._replay(connection, asked)
        await self._confirm(replay, "subscription_canceled", map(_place, asked.requests))

    def _replay(self, connection: Connection, asked: Request) -> Replay:
        return Replay(
            connection, asked.correlation_id, store=self._store, hub=self._hub, turns=self._turns
        )

    async def _establish(self, connection: Connection, asked: Request) -> None:
        """Establish every subscription of a request: one request of a connection at a time."""
        async with connection.subscribing:
            replay = self._replay(connection, asked)
            missed = Missed(replay, self._recency, _conversations(asked.requests))
            await missed.begin()
            for start in range(0, len(asked.requests), limits.SUBSCRIPTIONS_PER_STEP):
                step = asked.requests[start : start + limits.SUBSCRIPTIONS_PER_STEP]
                await self._establish_some(connection, replay, missed, step)
                await asyncio.sleep(0)

    async def _establish_some(
        self, connection: Connection, replay: Replay, missed: Missed, step: list[Wanted]
    ) -> None:
        session = connection.session
        found = await replay.read(partial(_find, session, step))
        room = max(limits.SUBSCRIPTIONS_PER_CONNECTION_MAX - len(connection.listening), 0)
        held = [each for each in found if each.name is not None][:room]
        for each in held:
            self._hub.hold(connection, each.seen)
        # What has a higher number is told by the hub, now or once it is known from where on.
        base = self._recency.position
        mine = {each.seen.owner_sid for each in held if each.is_replayed}
        await missed.look(mine, base)
        await replay.read(partial(_look_again, session, held))
        for each in held:
            if each.is_lost:
                self._hub.unlisten(connection, each.seen.sid)
        await self._send_missed(session, replay, missed, held, base)
        await self._begin_anew(connection, replay, missed.lost & mine, base)
        # Meanwhile the user may have lost the right to more; the hub has forgotten those.
        kept = [each for each in held if each.seen.sid in connection.listening]
        failed = [each for each in found if each not in kept]
        self._send_removals(connection, failed, base)
        await self._confirm(
            replay,
            "subscription_established",
            (
                _place(each.wanted)
                | {"replay_status": "completed", "last_event_id": each.number(base)}
                for each in kept
            ),
        )
        await self._confirm(
            replay,
            "subscription_failed",
            (
                _place(each.wanted) | {"error": objects.not_found(each.wanted.object_type)}
                for each in failed
            ),
        )
        for each in kept:
            self._hub.listen(connection, each.seen, each.number(base))

    async def _send_missed(
        self,
        session: Session,
        replay: Replay,
        missed: Missed,
        held: list[_Found],
        base: int,
    ) -> None:
        """Send the missed events of each object, in order."""
        by_owner: dict[str, dict[ObjectName, int]] = {}
        for each in held:
            if each.is_lost or each.after is None or each.after >= base:
                continue
            if each.is_replayed:
                by_owner.setdefault(each.seen.owner_sid, {})[each.seen] = each.after
            elif self._is_changed(session, each.seen, each.after):
                verb = ADDED if each.seen.kind is ObjectKind.MY_CONVERSATIONS else UPDATED
                await replay.send_items(each.seen, verb, base, self._clock.now_ms())
        for owner_sid, after in by_owner.items():
            numbers = missed.numbers(owner_sid, min(after.values()), base)
            if numbers:
                await replay.send_conversation(after, numbers, base)

    def _is_changed(self, session: Session, name: ObjectName, after: int) -> bool:
        """Whether a map of a user may have changed after an event."""
        key = name.owner_sid
        if name.kind is ObjectKind.MY_CONVERSATIONS:
            key = user_key(session.scope.service_sid, session.identity)
        return self._recency.user_changed_since(key, after)

    async def _begin_anew(
        self, connection: Connection, replay: Replay, anew: set[str], number: int
    ) -> None:
        """Take conversations out of the user's map and put them in again."""
        session = connection.session
        name = ObjectName(ObjectKind.MY_CONVERSATIONS, session.user_sid)
        for sid in sorted(anew):
            place = await replay.read(partial(_find_participant, session, sid))
            if place is None:
                continue
            value = participant_representation.my_conversation_item(place)
            await connection.drained()
            for verb in (ITEM_REMOVED, ADDED):
                self._send(connection, Change(name, verb, sid, value), number)

    def _send_removals(self, connection: Connection, failed: list[_Found], number: int) -> None:
        """A conversation whose document the client had and may not see any more has been left."""
        name = ObjectName(ObjectKind.MY_CONVERSATIONS, connection.session.user_sid)
        for each in failed:
            if each.wanted.object_type == names.DOCUMENT:
                # Said of any document that is not there for the user, whether there is one or not.
                for lost in names.candidates_for_sid(names.DOCUMENT, each.wanted.object_sid):
                    change = Change(name, ITEM_REMOVED, lost.owner_sid, {})
                    self._send(connection, change, number)

    def _send(self, connection: Connection, change: Change, number: int) -> None:
        payload = sync_events.live_payload(change, number, self._clock.now_ms())
        connection.push(self._hub.news(sync_events.LIVE_TYPES[change.name.kind.type], payload))

    @staticmethod
    async def _confirm(replay: Replay, kind: str, places: Iterable[dict[str, Any]]) -> None:
        said = list(places)
        for start in range(0, len(said), limits.ESTABLISHED_PER_NOTIFICATION_MAX):
            await replay.notify(kind, said[start : start + limits.ESTABLISHED_PER_NOTIFICATION_MAX])


def _place(wanted: Wanted) -> dict[str, Any]:
    return {"object_sid": wanted.object_sid, "object_type": wanted.object_type}


def _asked(body: bytes) -> Request | None:
    """The request of a body, each object once; None for what is no request.

    An object that is named again is read and confirmed once, from the lowest number on.
    """
    if len(body) > limits.SUBSCRIPTIONS_BODY_BYTES_MAX:
        return None
    try:
        asked = _request.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    is_known = asked.action in {_ESTABLISH, _CANCEL}
    if not is_known or len(asked.requests) > limits.SUBSCRIPTIONS_PER_REQUEST_MAX:
        return None
    distinct: dict[tuple[str, object], Wanted] = {}
    for wanted in asked.requests:
        candidates = names.candidates_for_sid(wanted.object_type, wanted.object_sid)
        key = (wanted.object_type, candidates or wanted.object_sid)
        known = distinct.setdefault(key, wanted)
        numbers = [known.last_event_id, wanted.last_event_id]
        after = min((number for number in numbers if number is not None), default=None)
        if after != known.last_event_id:
            distinct[key] = msgspec.structs.replace(known, last_event_id=after)
    return msgspec.structs.replace(asked, requests=list(distinct.values()))


def _conversations(requests: list[Wanted]) -> Iterator[tuple[str, int]]:
    """The conversations that objects may be of, and the number known of each object."""
    for wanted in requests:
        if wanted.last_event_id is not None:
            for name in names.candidates_for_sid(wanted.object_type, wanted.object_sid):
                if name.kind.owner == sids.CONVERSATION:
                    yield name.owner_sid, wanted.last_event_id


async def _find(session: Session, step: list[Wanted], tx: Transaction) -> list[_Found]:
    """Which of the objects are there for this user."""
    visibility = Visibility(session)
    found = []
    for wanted in step:
        candidates = names.candidates_for_sid(wanted.object_type, wanted.object_sid)
        found.append(_Found(wanted, await visibility.seen(tx, candidates)))
    return found


async def _find_participant(
    session: Session, conversation_sid: str, tx: Transaction
) -> Participant | None:
    return await participant_store.find_participant_by_identity(
        tx, session.scope, conversation_sid, session.identity
    )


async def _look_again(session: Session, held: list[_Found], tx: Transaction) -> None:
    """Mark what may not be seen any more: the right to it may have gone before it was held."""
    visibility = Visibility(session)
    for each in held:
        each.is_lost = not await visibility.may_see(tx, each.seen)
