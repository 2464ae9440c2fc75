"""Inbound messages: accepted durably, then processed in order.

`accept` returns once the message is in the inbox, so that its carrier may acknowledge it. The
processing begins at once on the same node; what a crash leaves is found by the sweep, a job of the
scheduler. Rows and their states: `resources/inbox/store.py`; the transaction:
`resources/inbound/processing.py`; order and claims: `inbound_lanes.py`.

Pre-action webhooks are called between two transactions, as they are for requests. Only the lane
waits for their result: a rejected message is dropped without an error at its carrier.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from parlour.channels import inbound_content, inbound_drops, number_table
from parlour.channels.carrier import InboundRefused
from parlour.channels.inbound_lanes import InboundLanes
from parlour.channels.inbound_media import InboundMediaStore, StoredMedia, insert_rows
from parlour.channels.inbound_webhooks import InboundWebhooks
from parlour.operations.scheduler import Job
from parlour.protocol.addresses import WHATSAPP
from parlour.resources.carrier_numbers import store as carrier_number_store
from parlour.resources.inbound import processing as inbound_processing
from parlour.resources.inbound.processing import HookDecision, Outcome, Plan
from parlour.resources.inbox import store as inbox_store
from parlour.resources.inbox import unacknowledged_store as inbox_unacknowledged_store
from parlour.resources.inbox.message import encode_message
from parlour.resources.inbox.store import InboundKey, InboxEntry
from parlour.resources.inbox.unacknowledged_store import Unacknowledged
from parlour.resources.whatsapp_windows import store as whatsapp_window_store
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.crash_points import (
    INBOUND_PROCESSED,
    INBOUND_RECEIVED,
    INBOUND_STORED,
    crash_point,
)
from parlour.vocabulary.dates import updated
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import Origin
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator

    from parlour.channels.carrier import Carrier, InboundMessage
    from parlour.channels.incoming_webhook import IncomingWebhook
    from parlour.operations.open_work import OpenWork
    from parlour.operations.pipeline import PreActionHook
    from parlour.protocol.forms import FormFields
    from parlour.resources.carrier_numbers.store import CarrierNumber
    from parlour.resources.inbox.message import InboxMessage
    from parlour.store.blobs import BlobStore
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Clock, Random

log = structlog.get_logger()

_MESSAGE_ADD: Final = "onMessageAdd"
_CONVERSATION_ADD: Final = "onConversationAdd"
_POST_ACTION: Final = {
    _MESSAGE_ADD: event_names.ON_MESSAGE_ADDED,
    _CONVERSATION_ADD: event_names.ON_CONVERSATION_ADDED,
}
_PLANS_MAX: Final = 5
"""How often the route may change between plan and transaction; then the message is deferred."""
# Another node has given the binding, or the set of the group, to a conversation since the plan.
_CONFLICTS: Final = frozenset({50416, 50438})


class InboundOutcome(msgspec.Struct, frozen=True):
    """The outcome of an inbound message; ``reason``: why no conversation took it, in words."""

    outcome: Outcome
    reason: str | None
    conversation_sid: str | None
    message_sid: str | None
    participant_sid: str | None


class InboundProcessor:
    """Accepts inbound messages of all carriers, and processes them."""

    def __init__(
        self,
        store: Store,
        blobs: BlobStore,
        clock: Clock,
        random: Random,
        *,
        pre_action_hook: PreActionHook | None,
        incoming_webhook: IncomingWebhook,
        carrier_of: Callable[[str], Carrier | None],
        outcomes: Counter[str],
    ) -> None:
        """``carrier_of`` returns a carrier by its name; ``outcomes`` are counters."""
        self._store = store
        self._random = random
        self._hook = pre_action_hook
        self._carrier_of = carrier_of
        self._outcomes = outcomes
        self._media = InboundMediaStore(blobs, random)
        self._lanes = InboundLanes(store, clock, self._process)
        self._webhooks = InboundWebhooks(store, incoming_webhook)
        self._waiting: dict[InboundKey, set[asyncio.Event]] = {}

    @property
    def running(self) -> int:
        """Return how many lanes and webhook requests of this node are in progress."""
        return self._lanes.running + self._webhooks.running

    def open_work(self) -> Iterator[OpenWork]:
        """Return the lanes and webhook requests of this node that are in progress."""
        yield from self._lanes.open_work()
        yield from self._webhooks.open_work()

    async def start(self) -> None:
        """Continue what a previous process left, if no other process serves this store."""
        if not self._store.is_shared:
            await self._store.write(inbox_store.release_claims)

    async def stop(self) -> None:
        """Stop after the messages in progress."""
        await self._lanes.stop()
        await self._webhooks.stop()

    async def drop(self, accounts: Callable[[str], bool]) -> None:
        """Cancel the messages in progress of some accounts, whose rows are replaced."""
        await self._lanes.drop(accounts)
        await self._webhooks.drop(accounts)

    # --- Accept ---------------------------------------------------------------------------

    async def accept(
        self, carrier_name: str, message: InboundMessage, *, account_sid: str | None = None
    ) -> InboundKey:
        """Store a message; return its key after the commit. A redelivery returns the same key.

        ``account_sid`` is the account of a virtual phone; else the table of numbers decides.
        Raises InboundRefused, and Busy if too many messages of the account wait.
        """
        owner = await self._owner(carrier_name, message, account_sid)
        key = InboundKey(owner, carrier_name, inbound_content.provider_key(message.provider_id))
        if await self._find(key) is not None:
            return key
        crash_point(INBOUND_RECEIVED)
        stored = await self._media.write(owner, message.media)
        content = inbound_content.normalise(message, stored.media)
        is_expected_again = message.is_acknowledgement_recorded
        try:
            entry = await self._insert(key, content, is_expected_again=is_expected_again)
        except Unavailable:
            raise  # The outcome of the commit is unknown: the sweep of media decides by the row.
        except BaseException:
            await self._media.discard(stored)
            raise
        if entry is None:
            await self._media.discard(stored)
            return key
        crash_point(INBOUND_STORED)
        await self._media.mark_committed(owner, stored)
        self._lanes.schedule(key, entry.lane)
        return key

    async def _owner(
        self, carrier_name: str, message: InboundMessage, account_sid: str | None
    ) -> str:
        """Return the account of the receiver. Raises InboundRefused."""
        receiver = inbound_content.normalise_address(message.receiver)

        async def read(tx: Transaction) -> tuple[bool, CarrierNumber | None]:
            has_table = await carrier_number_store.has_number_table(tx)
            return has_table, await carrier_number_store.find_number(tx, receiver)

        has_table, number = await self._store.read(read)
        if not has_table and account_sid is not None:
            return account_sid
        if number is not None and account_sid in {None, number.account_sid}:
            return number.account_sid
        self._outcomes["refused"] += 1
        log.warning(
            "inbound_message_refused",
            carrier=carrier_name,
            receiver=receiver,
            provider_id=message.provider_id,
        )
        raise InboundRefused(f"{receiver} is no number of this server")

    async def _insert(
        self, key: InboundKey, message: InboxMessage, *, is_expected_again: bool
    ) -> InboxEntry | None:
        """Insert a message, claimed by this node; return None if it exists already.

        ``is_expected_again``: until its acknowledgement is recorded.
        """
        account = Scope(key.account_sid)
        sid = inbound_content.channel_message_sid(message, key.provider_id, self._random)

        async def insert(tx: Transaction) -> InboxEntry | None:
            if await inbox_store.backlog_is_full(tx, account):
                raise Busy("the inbox of the account is full")
            entry = InboxEntry(
                *key,
                sequence=tx.next_sequence(),
                lane=inbound_content.lane_of(message),
                receiver=message.receiver,
                channel_message_sid=sid,
                state=inbox_store.PENDING,
                content=encode_message(message),
                due_ms=tx.now + limits.INBOX_CLAIM_MS,
                attempts=0,
                fold_key=inbound_content.fold_key_of(message),
                is_copy=0,
                outcome=None,
                reason=None,
                conversation_sid=None,
                message_sid=None,
                participant_sid=None,
                date_created=tx.now,
                date_updated=tx.now,
            )
            if not await inbox_store.insert_entry(tx, account, entry):
                return None
            if message.channel == WHATSAPP:
                # Before any webhook of the message is called: it may reply at once.
                await whatsapp_window_store.open_window(
                    tx, account, message.receiver, message.sender, tx.now
                )
            if is_expected_again:
                row = Unacknowledged(*key, sequence=entry.sequence, date_created=tx.now)
                await inbox_unacknowledged_store.insert_unacknowledged(tx, account, row)
            await insert_rows(tx, key.account_sid, message.media)
            return entry

        return await self._store.write(insert, account_sid=key.account_sid)

    async def _find(self, key: InboundKey) -> InboxEntry | None:
        return await self._store.read(
            lambda tx: inbox_store.find_entry(
                tx, Scope(key.account_sid), key.carrier, key.provider_id
            ),
            account_sid=key.account_sid,
        )

    # --- Outcome --------------------------------------------------------------------------

    async def outcome(self, key: InboundKey) -> InboundOutcome:
        """Return the outcome of an accepted message, once any node has processed it."""
        finished = asyncio.Event()
        self._waiting.setdefault(key, set()).add(finished)
        try:
            while True:
                entry = await self._find(key)
                if entry is None:
                    raise Unavailable(f"the message {key} was removed")
                if entry.state != inbox_store.PENDING:
                    return msgspec.convert(entry, InboundOutcome, from_attributes=True)
                try:
                    async with asyncio.timeout(limits.INBOX_OUTCOME_POLL_MS / 1000):
                        await finished.wait()
                except TimeoutError:
                    continue  # Another node may have processed it.
        finally:
            self._waiting[key].discard(finished)
            if not self._waiting[key]:
                del self._waiting[key]

    # --- Processing -----------------------------------------------------------------------

    async def _process(self, entry: InboxEntry) -> None:
        """Process one message; after a failure it is deferred, and at last given up."""
        try:
            done = await self._process_once(entry)
        except (Busy, Unavailable) as error:
            log.warning("inbound_message_deferred", provider_id=entry.provider_id, error=str(error))
            self._outcomes["deferred"] += 1
            await self._defer(entry, limits.INBOX_RETRY_MS)
            return
        except Exception as error:
            log.exception("inbound_message_failed", provider_id=entry.provider_id)
            if entry.attempts + 1 < limits.INBOX_ATTEMPTS_MAX:
                self._outcomes["deferred"] += 1
                await self._defer(entry, limits.INBOX_RETRY_MS << entry.attempts, attempts=1)
                return
            done = await inbound_drops.give_up(self._store, entry, error)
            self._outcomes["failed"] += 1
        else:
            inbound_drops.log_dropped(done, inbound_processing.message_of(entry))
        self._outcomes[done.outcome or "deferred"] += 1
        inbound_drops.log_replayed(done)
        if done.state == inbox_store.PENDING:
            return
        crash_point(INBOUND_PROCESSED)
        for each in self._waiting.get(entry.key, ()):
            each.set()
        if done.state == inbox_store.WEBHOOK:
            self._webhooks.schedule(done)

    async def _process_once(self, entry: InboxEntry) -> InboxEntry:
        """Plan, call the pre-action webhook, and execute; again if the route has changed."""
        entry = await self._with_media(entry)
        message = inbound_processing.message_of(entry)
        number = await number_table.find_number(self._store, message.receiver)
        origin = Origin(source=message.channel.upper(), fires=True)
        for number_of_plan in range(1, _PLANS_MAX + 1):
            plan = await self._store.read(
                lambda tx: inbound_processing.plan_message(tx, entry, message, number),
                account_sid=entry.account_sid,
            )
            try:
                decision = await self._decide(entry, message, number, origin, plan)
                work = partial(
                    inbound_processing.process_message,
                    key=entry.key,
                    message=message,
                    number=number,
                    decision=decision,
                )
                done = await self._store.write(work, origin, account_sid=entry.account_sid)
            except ApiError as error:
                if error.code in _CONFLICTS and number_of_plan < _PLANS_MAX:
                    continue
                reason = f"{error.code}: {error.message}"
                return await inbound_drops.drop(self._store, entry, reason)
            if done is not None:
                return done
        raise Busy("the route of the message changes all the time")

    async def _decide(
        self,
        entry: InboxEntry,
        message: InboxMessage,
        number: CarrierNumber | None,
        origin: Origin,
        plan: Plan,
    ) -> HookDecision:
        """Call the pre-action webhook of a plan, if one is subscribed.

        Raises ApiError for a message that is invalid regardless of the webhook.
        """
        names = {"conversation": _MESSAGE_ADD, "auto_creation": _CONVERSATION_ADD}
        event_name = names.get(plan.route.kind)
        if self._hook is None or event_name is None or plan.original is not None:
            return HookDecision(plan)
        scope = await self._store.read(
            lambda tx: inbound_processing.scope_of(tx, plan.route), account_sid=entry.account_sid
        )
        if not await self._hook.is_subscribed(scope, event_name):
            return HookDecision(plan)
        dry_run = await self._store.dry_run(
            lambda tx: inbound_processing.process_message(
                tx, entry.key, message, number, HookDecision(plan)
            ),
            origin,
            account_sid=entry.account_sid,
        )
        name = _POST_ACTION[event_name]
        emitted = next((each for each in dry_run.events if each.name == name), None)
        if emitted is None:
            return HookDecision(plan)  # The route has changed: the transaction finds out.
        try:
            amendments: FormFields = await self._hook.amendments(event_name, emitted)
        except ApiError as error:
            return HookDecision(
                plan, rejection=f"the webhook {event_name} refused it: {error.message}"
            )
        return HookDecision(plan, amendments)

    async def _with_media(self, entry: InboxEntry) -> InboxEntry:
        """Read the media that the carrier keeps; return the row with all media stored."""
        message = inbound_processing.message_of(entry)
        if all(each.sid is not None for each in message.media):
            return entry
        await self._defer(entry, limits.INBOUND_MEDIA_SECONDS_MAX * 1000 + limits.INBOX_CLAIM_MS)
        carrier = self._carrier_of(entry.carrier)
        stored = await self._media.read_from_carrier(entry.account_sid, carrier, message.media)
        content = encode_message(msgspec.structs.replace(message, media=stored.media))
        try:
            after = await self._save_media(entry, content, stored, message)
        except Unavailable:
            raise
        except BaseException:
            await self._media.discard(stored)
            raise
        await self._media.mark_committed(entry.account_sid, stored)
        return after

    async def _save_media(
        self, entry: InboxEntry, content: str, stored: StoredMedia, before: InboxMessage
    ) -> InboxEntry:
        known = set(before.media_sids)
        new = [each for each in stored.media if each.sid not in known]

        async def save(tx: Transaction) -> InboxEntry:
            scope = Scope(entry.account_sid)
            found = await inbox_store.lock_entry(tx, scope, entry.carrier, entry.provider_id)
            assert found is not None, entry.key
            due_ms = tx.now + limits.INBOX_CLAIM_MS
            after = updated(found, tx.now, content=content, due_ms=due_ms)
            await inbox_store.update_entry(tx, scope, found, after)
            await insert_rows(tx, entry.account_sid, new)
            return after

        return await self._store.write(save, account_sid=entry.account_sid)

    async def _defer(self, entry: InboxEntry, delay_ms: int, *, attempts: int = 0) -> None:
        """Set the time of the next attempt; if that fails, its claim has to end first."""

        async def defer(tx: Transaction) -> None:
            scope = Scope(entry.account_sid)
            found = await inbox_store.lock_entry(tx, scope, entry.carrier, entry.provider_id)
            if found is not None and found.state == inbox_store.PENDING:
                await inbound_processing.defer(tx, found, tx.now + delay_ms, attempts=attempts)

        await self._store.write(defer, account_sid=entry.account_sid)

    # --- The sweep ------------------------------------------------------------------------

    def job(self) -> Job:
        """Return the job that continues messages whose claim or delay has ended."""
        return Job("inbox", inbox_store.next_due_ms, self._sweep)

    async def _sweep(self, store: Store) -> None:
        """Claim a batch of due messages, and process them on this node."""

        async def claim(tx: Transaction) -> list[InboxEntry]:
            claimed = []
            until_ms = tx.now + limits.INBOX_CLAIM_MS
            for each in await inbox_store.list_due(tx):
                scope = Scope(each.account_sid)
                if await inbox_store.claim_entry(
                    tx, scope, each.key, due_ms=each.due_ms, until_ms=until_ms
                ):
                    claimed.append(msgspec.structs.replace(each, due_ms=until_ms))
            return claimed

        for each in await store.write(claim):
            if each.state == inbox_store.WEBHOOK:
                self._webhooks.schedule(each)
            else:
                self._lanes.schedule(each.key, each.lane)
