"""Subscribing to realtime objects: replay of missed events, then notifications as they happen."""

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
"""Number of an event in a request: a JavaScript integer; -1 for none."""
Correlation = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=(1 << 53) - 1)]


class RequestedObject(msgspec.Struct, frozen=True):
    """One object of a request; without a number no events are replayed."""

    object_sid: str
    object_type: str
    last_event_id: EventNumber | None = None


class SubscriptionRequest(msgspec.Struct, frozen=True):
    """The body of a subscription request."""

    action: str
    requests: list[RequestedObject]
    correlation_id: Correlation | None = None


@dataclass(slots=True)
class _ResolvedObject:
    """One requested object, and its name if the user may see it."""

    requested: RequestedObject
    name: ObjectName | None
    is_revoked: bool = False

    @property
    def after(self) -> int | None:
        """Return the number of the last event known to the client."""
        return self.requested.last_event_id

    @property
    def visible_name(self) -> ObjectName:
        """Return the name of a visible object."""
        assert self.name is not None
        return self.name

    @property
    def is_replayed(self) -> bool:
        """Whether its missed events are replayed from the log."""
        return self.after is not None and self.visible_name.kind.owner == sids.CONVERSATION

    def number(self, base: int) -> int:
        """Return the number after which notifications are sent."""
        return max(base, self.requested.last_event_id or 0)


_request_decoder = msgspec.json.Decoder(SubscriptionRequest)


# The client names each object with the number of the last event it knows of it. Each object passes
# through these states (the states of its subscription in the hub are in ``hub.py``):
#
# ============  ==========================================================  ========================
# state         work                                                        next
# ============  ==========================================================  ========================
# requested     visibility is read                                          establishing; failed if
#                                                                           invisible or over
#                                                                           SUBSCRIPTIONS_PER_
#                                                                           CONNECTION_MAX
# establishing  the hub holds notifications back; visibility is read        replay; failed if
#               again, as it may have been revoked before                   revoked
# replay        a conversation's missed events are sent from the log, a     live
#               changed map of the user as a whole; unchanged objects need
#               no read (``last_changed.py``)
# resync        in place of replay if the log does not reach back far       live
#               enough: the conversation is removed from the user's map
#               and added again, so that the client reads it again
# live          the subscription is confirmed, then activated in the hub    ends: cancelled,
#                                                                           revoked, disconnected
# failed        a removal is notified for a document, then the failure      -
# ============  ==========================================================  ========================
#
# Each change is sent exactly once: notifications are held back before the state is read, and
# activation drops those that the replay contained.
class Subscriptions:
    """Handle ``POST /v4/Subscriptions``."""

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
        """Establish or cancel the subscriptions of a request, after its reply."""
        body = _parse_request(request.take_body())
        if body is None:
            return object_reader.error_reply(
                HTTPStatus.BAD_REQUEST, 54000, "Invalid subscription request"
            )
        # The reply is sent first: the client drops its pending subscriptions at the reply, and
        # schedules them again at a confirmation.
        work = self._cancel if body.action == _CANCEL else self._establish
        return object_reader.json_reply(
            HTTPStatus.ACCEPTED, _ACCEPTED, partial(work, connection, body)
        )

    async def _cancel(self, connection: ClientConnection, body: SubscriptionRequest) -> None:
        for requested in body.requests:
            self._hub.unsubscribe(connection, requested.object_sid)
        replay = self._replay(connection, body)
        await self._confirm(replay, "subscription_canceled", map(_object_ref, body.requests))

    def _replay(self, connection: ClientConnection, body: SubscriptionRequest) -> Replay:
        return Replay(
            connection,
            body.correlation_id,
            store=self._store,
            hub=self._hub,
            read_scheduler=self._read_scheduler,
        )

    async def _establish(self, connection: ClientConnection, body: SubscriptionRequest) -> None:
        """Establish the subscriptions of a request."""
        # One request of a connection at a time: memory and reads are bounded per connection.
        async with connection.subscription_lock:
            replay = self._replay(connection, body)
            missed = MissedEvents(
                replay, self._last_changed, _requested_conversations(body.requests)
            )
            await missed.find_start()
            for start in range(0, len(body.requests), limits.SUBSCRIPTIONS_PER_STEP):
                step = body.requests[start : start + limits.SUBSCRIPTIONS_PER_STEP]
                await self._establish_step(connection, replay, missed, step)
                await asyncio.sleep(0)  # Let other connections run between two steps.

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
        # Events after this one are published by the hub: held back now, sent on activation.
        base = self._last_changed.position
        replayed = {each.visible_name.owner_sid for each in held if each.is_replayed}
        await missed.scan(replayed, base)
        await replay.read(partial(_recheck_visibility, session, held))
        for each in held:
            if each.is_revoked:
                self._hub.unsubscribe(connection, each.visible_name.sid)
        await self._replay_missed(session, replay, missed, held, base)
        await self._resync(connection, replay, missed.to_resync & replayed, base)
        # The hub has removed the subscriptions that were revoked since.
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
        # Last, so that held notifications follow the confirmation.
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
        """Remove conversations from the user's map and add them again."""
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
        """Notify the removal of conversations whose document is invisible."""
        name = ObjectName(ObjectKind.MY_CONVERSATIONS, connection.session.user_sid)
        for each in failed:
            if each.requested.object_type == realtime_objects.DOCUMENT:
                # For any invisible document, so that its existence is not disclosed.
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


def _parse_request(raw: bytes) -> SubscriptionRequest | None:
    """Return the request in a JSON body, each object once; None if it is invalid.

    An object that is named repeatedly is read and confirmed once, from its lowest number on.
    """
    if len(raw) > limits.SUBSCRIPTIONS_BODY_BYTES_MAX:
        return None
    try:
        body = _request_decoder.decode(raw)
    except (ValueError, RecursionError):
        return None
    is_known = body.action in {_ESTABLISH, _CANCEL}
    if not is_known or len(body.requests) > limits.SUBSCRIPTIONS_PER_REQUEST_MAX:
        return None
    distinct: dict[tuple[str, object], RequestedObject] = {}
    for requested in body.requests:
        candidates = realtime_objects.candidates_for_sid(
            requested.object_type, requested.object_sid
        )
        key = (requested.object_type, candidates or requested.object_sid)
        known = distinct.setdefault(key, requested)
        numbers = [known.last_event_id, requested.last_event_id]
        after = min((number for number in numbers if number is not None), default=None)
        if after != known.last_event_id:
            distinct[key] = msgspec.structs.replace(known, last_event_id=after)
    return msgspec.structs.replace(body, requests=list(distinct.values()))


def _requested_conversations(requests: list[RequestedObject]) -> Iterator[tuple[str, int]]:
    """Iterate over the possible conversations of objects, with the last known event."""
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
    """Return the requested objects with the names that are visible to the user."""
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
    """Mark objects that became invisible before their notifications were held back."""
    visibility = Visibility(session)
    for each in held:
        each.is_revoked = not await visibility.is_visible(tx, each.visible_name)
