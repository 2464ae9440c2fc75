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
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.protocol import sync_events
from parlour.protocol.sync_events import ADDED, CHANGED, ITEM_REMOVED, UPDATED, Change
from parlour.realtime import items, objects
from parlour.realtime.changes import changes_of
from parlour.realtime.recency import Recency, user_key
from parlour.realtime.visibility import Visibility
from parlour.resources.participants import representation as participant_faces
from parlour.resources.participants import store as participants
from parlour.store import events as event_log
from parlour.vocabulary import limits, sids
from parlour.vocabulary import objects as names
from parlour.vocabulary.objects import Kind, ObjectName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.realtime.connection import Connection
    from parlour.realtime.hub import Hub
    from parlour.realtime.session import Session, TunnelReply, TunnelRequest
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Clock

_ESTABLISH: Final = "establish"
_CANCEL: Final = "cancel"
_ACCEPTED: Final = {
    "max_batch_size": limits.SUBSCRIPTIONS_PER_REQUEST_MAX,
    "estimated_delivery_in_ms": 10_000,
    "ttl_in_s": -1,
}


class Wanted(msgspec.Struct, frozen=True):
    """One object of a request; without a number nothing is told again."""

    object_sid: str
    object_type: str
    last_event_id: int | None = None


class Request(msgspec.Struct, frozen=True):
    """The body of a request for subscriptions."""

    action: str
    requests: list[Wanted]
    correlation_id: int | None = None


@dataclass(slots=True)
class _Found:
    """One object that was asked for, what the user may see of it, and what was missed."""

    wanted: Wanted
    name: ObjectName | None
    changes: list[tuple[int, int, Change]] = field(default_factory=list)
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

    def number(self, base: int) -> int:
        """From which number on the client is told: what it had was perhaps read just now."""
        return max(base, self.wanted.last_event_id or 0)


_request = msgspec.json.Decoder(Request)


class Subscriptions:
    """Answers ``POST /v4/Subscriptions``."""

    def __init__(self, store: Store, hub: Hub, recency: Recency, clock: Clock) -> None:
        self._store = store
        self._hub = hub
        self._recency = recency
        self._clock = clock

    async def answer(self, connection: Connection, request: TunnelRequest) -> TunnelReply:
        """Begin or end listening to the objects of a request."""
        try:
            asked = _request.decode(request.body)
        except msgspec.DecodeError:
            return objects.refusal(HTTPStatus.BAD_REQUEST, 54000, "Invalid subscription request")
        is_known = asked.action in {_ESTABLISH, _CANCEL}
        if not is_known or len(asked.requests) > limits.SUBSCRIPTIONS_PER_REQUEST_MAX:
            return objects.refusal(HTTPStatus.BAD_REQUEST, 54000, "Invalid subscription request")
        # The answer goes first. The client gives up its plan to subscribe to what it has opened
        # meanwhile when the answer comes, and makes a new one when a confirmation does.
        work = self._cancel if asked.action == _CANCEL else self._establish
        return objects.reply(HTTPStatus.ACCEPTED, _ACCEPTED, partial(work, connection, asked))

    async def _cancel(self, connection: Connection, asked: Request) -> None:
        for wanted in asked.requests:
            self._hub.unlisten(connection, wanted.object_sid)
        self._confirm(connection, "subscription_canceled", asked, map(_place, asked.requests))

    async def _establish(self, connection: Connection, asked: Request) -> None:
        for start in range(0, len(asked.requests), limits.SUBSCRIPTIONS_PER_STEP):
            step = asked.requests[start : start + limits.SUBSCRIPTIONS_PER_STEP]
            await self._establish_some(connection, asked, step)
            await asyncio.sleep(0)

    async def _establish_some(
        self, connection: Connection, asked: Request, step: list[Wanted]
    ) -> None:
        session = connection.session
        found = await self._store.read(
            lambda tx: _find(tx, session, step), account_sid=session.scope.account_sid
        )
        room = max(limits.SUBSCRIPTIONS_PER_CONNECTION_MAX - len(connection.listening), 0)
        held = [each for each in found if each.name is not None][:room]
        for each in held:
            self._hub.hold(connection, each.seen)
        # What has a higher number is told by the hub, now or once it is known from where on.
        base = self._recency.position
        missed, anew = await self._missed(held, base)
        await self._store.read(
            lambda tx: self._read(tx, session, held, missed, base),
            account_sid=session.scope.account_sid,
        )
        for each in held:
            if each.is_lost:
                self._hub.unlisten(connection, each.seen.sid)
            self._replay(connection, asked, each)
        await self._begin_anew(connection, anew, base)
        # Meanwhile the user may have lost the right to more; the hub has forgotten those.
        kept = [each for each in held if each.seen.sid in connection.listening]
        self._tell_lost(connection, [each for each in found if each not in kept], base)
        self._confirm(
            connection,
            "subscription_established",
            asked,
            (
                _place(each.wanted)
                | {"replay_status": "completed", "last_event_id": each.number(base)}
                for each in kept
            ),
        )
        failed = [each.wanted for each in found if each not in kept]
        self._confirm(
            connection,
            "subscription_failed",
            asked,
            (_place(each) | {"error": objects.not_found(each.object_type)} for each in failed),
        )
        for each in kept:
            self._hub.listen(connection, each.seen, each.number(base))

    async def _missed(self, held: list[_Found], base: int) -> tuple[dict[str, list[int]], set[str]]:
        """Numbers of the events that were missed, by conversation; and which must begin anew."""
        since: dict[str, int] = {}
        for each in held:
            if each.after is None or each.seen.kind.owner != sids.CONVERSATION:
                continue
            sid = each.seen.owner_sid
            if self._recency.changed_since(sid, each.after):
                since[sid] = min(since.get(sid, each.after), each.after)
        missed: dict[str, list[int]] = {sid: [] for sid in since}
        if not missed:
            return missed, set()
        position = min(since.values())
        oldest = await self._store.read(event_log.oldest_sequence)
        if position + 1 < oldest or base - position > limits.REPLAY_SCANNED_EVENTS_MAX:
            return {}, set(missed)
        while position < base:  # Each step gets further, or is the last.
            end = position
            some = await self._store.read(
                lambda tx, end=end: event_log.conversations_after(  # type: ignore[misc]
                    tx, end, limits.REPLAY_SCANNED_EVENTS_PER_STEP
                )
            )
            for number, sid in some:
                if sid in missed and number <= base:
                    missed[sid].append(number)
            position = some[-1][0] if some else base
            await asyncio.sleep(0)
        return missed, set()

    async def _read(
        self,
        tx: Transaction,
        session: Session,
        held: list[_Found],
        missed: dict[str, list[int]],
        base: int,
    ) -> None:
        """Fill in what each object's listener has missed; forget what may not be seen any more."""
        visibility = Visibility(session)
        for each in held:
            if await visibility.may_see(tx, each.seen):
                each.changes = await self._changes(tx, session, each, missed, base)
            else:
                each.is_lost = True

    async def _changes(
        self,
        tx: Transaction,
        session: Session,
        each: _Found,
        missed: dict[str, list[int]],
        base: int,
    ) -> list[tuple[int, int, Change]]:
        after, name = each.after, each.seen
        if after is None or after >= base:
            return []
        if name.kind is Kind.MY_CONVERSATIONS:
            key = user_key(session.scope.service_sid, session.identity)
            is_changed, verb = self._recency.user_changed_since(key, after), ADDED
        elif name.kind is Kind.USER_INFO:
            is_changed = self._recency.user_changed_since(name.owner_sid, after)
            verb = UPDATED
        else:
            numbers = [number for number in missed.get(name.owner_sid, ()) if number > after]
            return await _told_again(tx, session, name, numbers, base)
        if not is_changed:
            return []
        now_ms = self._clock.now_ms()
        first = items.edge(name.kind, descending=False)
        most = limits.CONVERSATIONS_PER_IDENTITY_MAX * 2
        found = await items.read(tx, session, name, first, most, descending=False)
        return [(base, now_ms, Change(name, verb, item.key, item.value)) for item in found]

    def _replay(self, connection: Connection, asked: Request, each: _Found) -> None:
        """Tell what was missed of one object, in order, what goes together in one frame."""
        run: list[dict[str, Any]] = []
        kind = ""
        for number, date_ms, change in each.changes:
            is_full = len(run) >= limits.REPLAYED_PER_NOTIFICATION_MAX
            if run and (is_full or change.event_type != kind):
                self._say(connection, sync_events.replayed(kind, asked.correlation_id, run))
                run = []
            kind = change.event_type
            run.append(sync_events.event(change, number, date_ms))
        if run:
            self._say(connection, sync_events.replayed(kind, asked.correlation_id, run))

    async def _begin_anew(self, connection: Connection, anew: set[str], number: int) -> None:
        """Take conversations out of the user's map and put them in again."""
        session = connection.session
        name = ObjectName(Kind.MY_CONVERSATIONS, session.user_sid)
        for sid in sorted(anew):
            place = await self._store.read(
                lambda tx, sid=sid: participants.find_by_identity(  # type: ignore[misc]
                    tx, session.scope, sid, session.identity
                ),
                account_sid=session.scope.account_sid,
            )
            if place is None:
                continue
            value = participant_faces.my_conversation_item(place)
            for verb in (ITEM_REMOVED, ADDED):
                self._tell(connection, Change(name, verb, sid, value), number)

    def _tell_lost(self, connection: Connection, failed: list[_Found], number: int) -> None:
        """A conversation whose document the client had and may not see any more has been left."""
        name = ObjectName(Kind.MY_CONVERSATIONS, connection.session.user_sid)
        for each in failed:
            if each.wanted.object_type == names.DOCUMENT:
                # Said of any document that is not there for the user, whether there is one or not.
                for lost in names.with_sid(names.DOCUMENT, each.wanted.object_sid):
                    change = Change(name, ITEM_REMOVED, lost.owner_sid, {})
                    self._tell(connection, change, number)

    def _tell(self, connection: Connection, change: Change, number: int) -> None:
        payload = sync_events.live(change, number, self._clock.now_ms())
        connection.push(self._hub.news(sync_events.LIVE_TYPES[change.name.kind.type], payload))

    def _confirm(
        self, connection: Connection, kind: str, asked: Request, places: Iterable[dict[str, Any]]
    ) -> None:
        said = list(places)
        for start in range(0, len(said), limits.ESTABLISHED_PER_NOTIFICATION_MAX):
            some = said[start : start + limits.ESTABLISHED_PER_NOTIFICATION_MAX]
            self._say(connection, sync_events.replayed(kind, asked.correlation_id, some))

    def _say(self, connection: Connection, payload: bytes) -> None:
        connection.push(self._hub.news(sync_events.SYNC_EVENT, payload))


def _place(wanted: Wanted) -> dict[str, Any]:
    return {"object_sid": wanted.object_sid, "object_type": wanted.object_type}


async def _find(tx: Transaction, session: Session, step: list[Wanted]) -> list[_Found]:
    """Which of the objects are there for this user."""
    visibility = Visibility(session)
    found = []
    for wanted in step:
        candidates = names.with_sid(wanted.object_type, wanted.object_sid)
        found.append(_Found(wanted, await visibility.seen(tx, candidates)))
    return found


async def _told_again(
    tx: Transaction, session: Session, name: ObjectName, numbers: list[int], base: int
) -> list[tuple[int, int, Change]]:
    """The changes of one object that events of its conversation mean; a document's last alone."""
    told = []
    for number in numbers:
        event = await event_log.find(tx, session.scope, number)
        if event is None:  # Retired a moment ago; the state shows it all the same.
            continue
        if name.kind is Kind.CONVERSATION:
            value = await objects.document(tx, session, name.owner_sid)
            return [(base, event.date_ms, Change(name, CHANGED, None, value))]
        changes = await changes_of(tx, event)
        told += [(number, event.date_ms, each) for each in changes if each.name == name]
    return told
