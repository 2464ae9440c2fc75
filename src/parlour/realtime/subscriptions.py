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
from parlour.realtime import object_reader
from parlour.realtime.last_changed import LastChanged, user_conversations_key
from parlour.realtime.replay import MissedEvents, Replay
from parlour.realtime.visibility import Visibility
from parlour.resources.participants import representation as participant_representation
from parlour.resources.participants import store as participant_store
from parlour.vocabulary import limits, realtime_objects, sids
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from parlour.realtime.connection import ClientConnection
    from parlour.realtime.hub import Hub
    from parlour.realtime.read_scheduler import ReadScheduler
    from parlour.realtime.session import Session, TunnelReply, TunnelRequest
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


class RequestedObject(msgspec.Struct, frozen=True):
    """One object of a request; without a number nothing is told again."""

    object_sid: str
    object_type: str
    last_event_id: EventNumber | None = None


class SubscriptionRequest(msgspec.Struct, frozen=True):
    """The body of a request for subscriptions."""

    action: str
    requests: list[RequestedObject]
    correlation_id: Correlation | None = None


@dataclass(slots=True)
class _ResolvedObject:
    """One object that was asked for, and what the user may see of it."""

    requested: RequestedObject
    name: ObjectName | None
    is_revoked: bool = False

    @property
    def after(self) -> int | None:
        """The number of the last event that the client knows of."""
        return self.requested.last_event_id

    @property
    def visible_name(self) -> ObjectName:
        """The object, where the user may see it."""
        assert self.name is not None
        return self.name

    @property
    def is_replayed(self) -> bool:
        """Whether what was missed of it is found in the log."""
        return self.after is not None and self.visible_name.kind.owner == sids.CONVERSATION

    def number(self, base: int) -> int:
        """From which number on the client is told: what it had was perhaps read just now."""
        return max(base, self.requested.last_event_id or 0)


_request_decoder = msgspec.json.Decoder(SubscriptionRequest)


class Subscriptions:
    """Answers ``POST /v4/Subscriptions``."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        last_changed: LastChanged,
        clock: Clock,
        *,
        read_scheduler: ReadScheduler,
    ) -> None:
        self._store = store
        self._hub = hub
        self._last_changed = last_changed
        self._clock = clock
        self._read_scheduler = read_scheduler

    async def handle(self, connection: ClientConnection, request: TunnelRequest) -> TunnelReply:
        """Begin or end listening to the objects of a request."""
        subscription_request = _parse_request(request.take_body())
        if subscription_request is None:
            return object_reader.error_reply(
                HTTPStatus.BAD_REQUEST, 54000, "Invalid subscription request"
            )
        # The answer goes first. The client gives up its plan to subscribe to what it has opened
        # meanwhile when the answer comes, and makes a new one when a confirmation does.
        work = self._cancel if subscription_request.action == _CANCEL else self._establish
        return object_reader.json_reply(
            HTTPStatus.ACCEPTED, _ACCEPTED, partial(work, connection, subscription_request)
        )

    async def _cancel(
        self, connection: ClientConnection, subscription_request: SubscriptionRequest
    ) -> None:
        for requested in subscription_request.requests:
            self._hub.unsubscribe(connection, requested.object_sid)
        replay = self._replay(connection, subscription_request)
        await self._confirm(
            replay, "subscription_canceled", map(_object_ref, subscription_request.requests)
        )

    def _replay(
        self, connection: ClientConnection, subscription_request: SubscriptionRequest
    ) -> Replay:
        return Replay(
            connection,
            subscription_request.correlation_id,
            store=self._store,
            hub=self._hub,
            read_scheduler=self._read_scheduler,
        )

    async def _establish(
        self, connection: ClientConnection, subscription_request: SubscriptionRequest
    ) -> None:
        """Establish every subscription of a request: one request of a connection at a time."""
        async with connection.subscription_lock:
            replay = self._replay(connection, subscription_request)
            missed = MissedEvents(
                replay, self._last_changed, _requested_conversations(subscription_request.requests)
            )
            await missed.find_start()
            for start in range(
                0, len(subscription_request.requests), limits.SUBSCRIPTIONS_PER_STEP
            ):
                step = subscription_request.requests[start : start + limits.SUBSCRIPTIONS_PER_STEP]
                await self._establish_step(connection, replay, missed, step)
                await asyncio.sleep(0)

    async def _establish_step(
        self,
        connection: ClientConnection,
        replay: Replay,
        missed: MissedEvents,
        step: list[RequestedObject],
    ) -> None:
        session = connection.session
        found = await replay.read(partial(_resolve, session, step))
        room = max(limits.SUBSCRIPTIONS_PER_CONNECTION_MAX - len(connection.subscribed), 0)
        held = [each for each in found if each.name is not None][:room]
        for each in held:
            self._hub.begin_subscription(connection, each.visible_name)
        # What has a higher number is told by the hub, now or once it is known from where on.
        base = self._last_changed.position
        mine = {each.visible_name.owner_sid for each in held if each.is_replayed}
        await missed.scan(mine, base)
        await replay.read(partial(_recheck_visibility, session, held))
        for each in held:
            if each.is_revoked:
                self._hub.unsubscribe(connection, each.visible_name.sid)
        await self._replay_missed(session, replay, missed, held, base)
        await self._resync(connection, replay, missed.to_resync & mine, base)
        # Meanwhile the user may have lost the right to more; the hub has forgotten those.
        established = [each for each in held if each.visible_name.sid in connection.subscribed]
        failed = [each for each in found if each not in established]
        self._notify_removed(connection, failed, base)
        await self._confirm(
            replay,
            "subscription_established",
            (
                _object_ref(each.requested)
                | {"replay_status": "completed", "last_event_id": each.number(base)}
                for each in established
            ),
        )
        await self._confirm(
            replay,
            "subscription_failed",
            (
                _object_ref(each.requested)
                | {"error": object_reader.not_found_error(each.requested.object_type)}
                for each in failed
            ),
        )
        for each in established:
            self._hub.activate(connection, each.visible_name, each.number(base))

    async def _replay_missed(
        self,
        session: Session,
        replay: Replay,
        missed: MissedEvents,
        held: list[_ResolvedObject],
        base: int,
    ) -> None:
        """Send the missed events of each object, in order."""
        by_owner: dict[str, dict[ObjectName, int]] = {}
        for each in held:
            if each.is_revoked or each.after is None or each.after >= base:
                continue
            if each.is_replayed:
                by_owner.setdefault(each.visible_name.owner_sid, {})[each.visible_name] = each.after
            elif self._is_changed(session, each.visible_name, each.after):
                verb = ADDED if each.visible_name.kind is ObjectKind.MY_CONVERSATIONS else UPDATED
                await replay.send_items(each.visible_name, verb, base, self._clock.now_ms())
        for owner_sid, after in by_owner.items():
            numbers = missed.numbers(owner_sid, min(after.values()), base)
            if numbers:
                await replay.send_conversation(after, numbers, base)

    def _is_changed(self, session: Session, name: ObjectName, after: int) -> bool:
        """Whether a map of a user may have changed after an event."""
        key = name.owner_sid
        if name.kind is ObjectKind.MY_CONVERSATIONS:
            key = user_conversations_key(session.scope.service_sid, session.identity)
        return self._last_changed.user_changed_since(key, after)

    async def _resync(
        self, connection: ClientConnection, replay: Replay, conversation_sids: set[str], number: int
    ) -> None:
        """Take conversations out of the user's map and put them in again."""
        session = connection.session
        name = ObjectName(ObjectKind.MY_CONVERSATIONS, session.user_sid)
        for sid in sorted(conversation_sids):
            participant = await replay.read(partial(_find_participant, session, sid))
            if participant is None:
                continue
            value = participant_representation.my_conversation_item(participant)
            await connection.drain()
            for verb in (ITEM_REMOVED, ADDED):
                self._send(connection, Change(name, verb, sid, value), number)

    def _notify_removed(
        self, connection: ClientConnection, failed: list[_ResolvedObject], number: int
    ) -> None:
        """A conversation whose document the client had and may not see any more has been left."""
        name = ObjectName(ObjectKind.MY_CONVERSATIONS, connection.session.user_sid)
        for each in failed:
            if each.requested.object_type == realtime_objects.DOCUMENT:
                # Said of any document that is not there for the user, whether there is one or not.
                for document_name in realtime_objects.candidates_for_sid(
                    realtime_objects.DOCUMENT, each.requested.object_sid
                ):
                    change = Change(name, ITEM_REMOVED, document_name.owner_sid, {})
                    self._send(connection, change, number)

    def _send(self, connection: ClientConnection, change: Change, number: int) -> None:
        payload = sync_events.live_payload(change, number, self._clock.now_ms())
        connection.push(
            self._hub.encode_notification(sync_events.LIVE_TYPES[change.name.kind.type], payload)
        )

    @staticmethod
    async def _confirm(replay: Replay, kind: str, object_refs: Iterable[dict[str, Any]]) -> None:
        confirmations = list(object_refs)
        for start in range(0, len(confirmations), limits.ESTABLISHED_PER_NOTIFICATION_MAX):
            await replay.notify(
                kind, confirmations[start : start + limits.ESTABLISHED_PER_NOTIFICATION_MAX]
            )


def _object_ref(requested: RequestedObject) -> dict[str, Any]:
    return {"object_sid": requested.object_sid, "object_type": requested.object_type}


def _parse_request(body: bytes) -> SubscriptionRequest | None:
    """The request of a body, each object once; None for what is no request.

    An object that is named again is read and confirmed once, from the lowest number on.
    """
    if len(body) > limits.SUBSCRIPTIONS_BODY_BYTES_MAX:
        return None
    try:
        subscription_request = _request_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    is_known = subscription_request.action in {_ESTABLISH, _CANCEL}
    if not is_known or len(subscription_request.requests) > limits.SUBSCRIPTIONS_PER_REQUEST_MAX:
        return None
    distinct: dict[tuple[str, object], RequestedObject] = {}
    for requested in subscription_request.requests:
        candidates = realtime_objects.candidates_for_sid(
            requested.object_type, requested.object_sid
        )
        key = (requested.object_type, candidates or requested.object_sid)
        known = distinct.setdefault(key, requested)
        numbers = [known.last_event_id, requested.last_event_id]
        after = min((number for number in numbers if number is not None), default=None)
        if after != known.last_event_id:
            distinct[key] = msgspec.structs.replace(known, last_event_id=after)
    return msgspec.structs.replace(subscription_request, requests=list(distinct.values()))


def _requested_conversations(requests: list[RequestedObject]) -> Iterator[tuple[str, int]]:
    """The conversations that objects may be of, and the number known of each object."""
    for requested in requests:
        if requested.last_event_id is not None:
            for name in realtime_objects.candidates_for_sid(
                requested.object_type, requested.object_sid
            ):
                if name.kind.owner == sids.CONVERSATION:
                    yield name.owner_sid, requested.last_event_id


async def _resolve(
    session: Session, step: list[RequestedObject], tx: Transaction
) -> list[_ResolvedObject]:
    """Which of the objects are there for this user."""
    visibility = Visibility(session)
    found = []
    for requested in step:
        candidates = realtime_objects.candidates_for_sid(
            requested.object_type, requested.object_sid
        )
        found.append(_ResolvedObject(requested, await visibility.first_visible(tx, candidates)))
    return found


async def _find_participant(
    session: Session, conversation_sid: str, tx: Transaction
) -> Participant | None:
    return await participant_store.find_participant_by_identity(
        tx, session.scope, conversation_sid, session.identity
    )


async def _recheck_visibility(
    session: Session, held: list[_ResolvedObject], tx: Transaction
) -> None:
    """Mark what may not be seen any more: the right to it may have gone before it was held."""
    visibility = Visibility(session)
    for each in held:
        each.is_revoked = not await visibility.is_visible(tx, each.visible_name)
