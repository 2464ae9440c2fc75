"""The outbox on a real store, with scripted carriers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from parlour.channels.carrier import (
    Accepted,
    CallbackRefused,
    CarrierUnavailable,
    DeliveryReport,
    LinkState,
)
from parlour.channels.carriers import Carriers
from parlour.channels.outbox_metrics import CarrierMetrics
from parlour.channels.reports import Reports
from parlour.resources.carrier_numbers import store as carrier_number_store
from parlour.resources.carrier_numbers.store import CarrierRoute
from parlour.resources.conversations import store as conversation_store
from parlour.resources.conversations.store import Conversation
from parlour.resources.messages import receipt_store as message_receipt_store
from parlour.resources.messages import store as message_store
from parlour.resources.messages.receipt_store import Receipt
from parlour.resources.messages.representation import delivery
from parlour.resources.messages.store import Message
from parlour.resources.outbox import enqueue as outbox_enqueue
from parlour.resources.outbox.enqueue import SubmissionDraft
from parlour.resources.outbox.store import Submission, SubmissionContent, SubmissionRecipient
from parlour.store import event_log
from parlour.store.leases import LocalLease
from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary import event_names
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from parlour.channels.carrier import Callback, CallbackRequest, OutboundMessage, Rejected
    from parlour.store.transaction import Transaction

SCOPE = Scope("AC" + "0" * 31 + "1", "IS" + "0" * 31 + "1")
OWN = "+15017122661"
SECONDS_MAX = 20.0
SUMMARY = ("sent", "delivered", "read", "failed", "undelivered")
ROWS = "SELECT * FROM submission WHERE account_sid = $1 ORDER BY lane, lane_order"


class ScriptedCarrier:
    """A carrier that records its messages, and returns the results that a test sets."""

    def __init__(self, concurrency: int = 8) -> None:
        self.concurrency = concurrency
        self.sent: list[OutboundMessage] = []
        self.answers: dict[str, list[Accepted | Rejected | Exception]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.before_answer: Callable[[OutboundMessage], Awaitable[None]] | None = None
        self.in_flight: list[str] = []
        self.most_in_flight = 0
        self.is_started = False

    def script(self, address: str, *answers: Accepted | Rejected | Exception) -> None:
        """Set the next responses for a recipient; afterwards all are accepted."""
        self.answers[address] = list(answers)

    def bodies(self, address: str) -> list[str | None]:
        """Return the texts to one recipient, in order."""
        return [each.body for each in self.sent if each.recipients == (address,)]

    async def start(self) -> None:
        self.is_started = True

    async def stop(self) -> None:
        self.is_started = False

    async def send(self, message: OutboundMessage) -> Accepted | Rejected:
        assert self.is_started
        address = message.recipients[0]
        self.sent.append(message)
        self.in_flight.append(address)
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight))
        assert self.in_flight.count(address) == 1, "two messages of one lane are in flight"
        try:
            await asyncio.sleep(0)
            if gate := self.gates.get(address):
                await gate.wait()
            if self.before_answer is not None:
                await self.before_answer(message)
        finally:
            self.in_flight.remove(address)
        answers = self.answers.get(address)
        answer = answers.pop(0) if answers else Accepted()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def read_callback(self, request: CallbackRequest) -> Callback:
        raise CallbackRefused(404, f"no callbacks: {request.path}")

    async def read_medium(self, location: str) -> bytes:
        raise CarrierUnavailable(f"no media: {location}")

    def links(self) -> tuple[LinkState, ...]:
        return (LinkState("link 1", is_up=self.is_started),)

    async def check(self) -> tuple[LinkState, ...]:
        return self.links()


class OutboxSetup:
    """A store with conversations, and the parts of the outbox on it."""

    def __init__(self, path: Path) -> None:
        self.clock = FakeClock()
        self.store = SqliteStore(path, self.clock, SystemRandom(), synchronous="OFF")
        self.metrics = CarrierMetrics()
        self.reports = Reports(self.store, self.clock, self.metrics)
        self.public_url = ""

    def carriers(self, **carriers: ScriptedCarrier) -> Carriers:
        """Return the outbox with these carriers."""
        made = Carriers(
            self.store,
            carriers,
            LocalLease(self.store),
            self.clock,
            SystemRandom(),
            lambda _scope, sid: self.public_url and self.public_url + sid,
        )
        self.metrics, self.reports = made.metrics, made.reports
        self.store.on_commit(made.wake)
        return made

    @asynccontextmanager
    async def running(self, **carriers: ScriptedCarrier) -> AsyncIterator[Carriers]:
        """Run the outbox with these carriers, and drain it in the end."""
        made = self.carriers(**carriers)
        await made.start()
        try:
            yield made
        finally:
            await made.stop()

    async def route(self, *routes: tuple[str, str]) -> None:
        """Route senders to carriers, as a carriers file does."""
        made = [CarrierRoute("sender", sender, carrier) for sender, carrier in routes]
        await self.store.write(lambda tx: carrier_number_store.replace_all(tx, made, [], "digest"))

    async def report(self, carrier: str, status: Any, **members: Any) -> None:
        """Report a status as a carrier does."""
        await self.reports.report(carrier, DeliveryReport(status, **members))

    # --- Messages -----------------------------------------------------------------------------

    async def add_message(
        self,
        index: int,
        *addresses: str,
        conversation: int = 1,
        sender: str | None = OWN,
        channel: str = "sms",
        is_shared: bool = False,
        account_sid: str = SCOPE.account_sid,
        **content: Any,
    ) -> str:
        """Write a message and its submissions as its action does; return its SID.

        ``is_shared``: one submission for all addresses, as in a group or a mail.
        """
        scope = Scope(account_sid, SCOPE.service_sid)

        async def work(tx: Transaction) -> str:
            conversation_sid = await _conversation(tx, scope, conversation)
            message = _message(tx, scope, conversation_sid, index, len(addresses))
            await message_store.insert_message(tx, scope, message)
            to = [await _receipt(tx, scope, message, address) for address in addresses]
            for recipients in [to] if is_shared else [[each] for each in to]:
                lane = f"{sender} {'all' if is_shared else recipients[0].address}"
                draft = SubmissionDraft(
                    channel,
                    sender,
                    lane,
                    tuple(recipients),
                    SubmissionContent(**{"body": f"message {index}"} | content),
                    is_group=is_shared and channel == "sms",
                )
                await outbox_enqueue.enqueue_message(
                    tx,
                    scope,
                    draft,
                    conversation_sid=conversation_sid,
                    message_sid=message.sid,
                    message_index=index,
                )
            await tx.emit(
                scope, event_names.ON_MESSAGE_ADDED, subject_sid=message.sid, payload={"m": index}
            )
            return message.sid

        return await self.store.write(work)

    async def submissions(self, account_sid: str = SCOPE.account_sid) -> list[Submission]:
        """Return the rows of the outbox."""
        rows = await self.store.read(lambda tx: tx.all(ROWS, account_sid))
        return [Submission(*row) for row in rows]

    async def receipts(self, message_sid: str) -> dict[str, tuple[str | None, int]]:
        """Return the status and the error code of each recipient, by channel message SID."""
        found = await self.store.read(
            lambda tx: tx.all(
                "SELECT participant_sid, status, error_code FROM receipt"
                " WHERE account_sid = $1 AND message_sid = $2 ORDER BY sequence",
                SCOPE.account_sid,
                message_sid,
            )
        )
        return {row[0].removeprefix("MB"): (row[1], row[2]) for row in found}

    async def summary(self, message_sid: str, conversation: int = 1) -> str:
        """Return the members of a message's delivery summary that are not "none"."""
        sid = conversation_sid_of(conversation)
        found = await self.store.read(
            lambda tx: message_store.find_message(tx, SCOPE, sid, message_sid)
        )
        assert found is not None
        shown = delivery(found)
        assert shown is not None
        return " ".join(f"{name}:{shown[name]}" for name in SUMMARY if shown[name] != "none")

    async def updates(self) -> list[str]:
        """Return the payloads of all events of changed receipts."""
        found = await self.store.read(lambda tx: event_log.read_after(tx, 0, 10_000))
        return [each.payload for each in found if each.name == event_names.ON_DELIVERY_UPDATED]

    async def until(self, holds: Callable[[], Awaitable[object]]) -> None:
        """Wait until a condition on the store holds."""
        deadline = asyncio.get_running_loop().time() + SECONDS_MAX
        while not await holds():
            assert asyncio.get_running_loop().time() < deadline, "the condition does not hold yet"
            await asyncio.sleep(0.003)

    async def until_receipts(self, message_sid: str, *expected: str | None) -> None:
        """Wait until the receipts of a message have these statuses, in their order."""

        async def holds() -> bool:
            found = await self.receipts(message_sid)
            return [status for status, _ in found.values()] == list(expected)

        await self.until(holds)

    async def until_recorded(self) -> None:
        """Wait until no submission is queued."""

        async def holds() -> bool:
            return all(each.state == "accepted" for each in await self.submissions())

        await self.until(holds)


def conversation_sid_of(number: int) -> str:
    """Return the SID of a conversation of the tests."""
    return f"CH{number:032x}"


async def _conversation(tx: Transaction, scope: Scope, number: int) -> str:
    sid = conversation_sid_of(number)
    if await conversation_store.find_conversation(tx, scope, sid) is None:
        texts = dict.fromkeys(("state", "attributes", "created_by"), "")
        made: dict[str, Any] = {name: texts.get(name) for name in Conversation.__struct_fields__}
        made |= {name: 0 for name, kind in Conversation.__annotations__.items() if kind == "int"}
        made |= {"account_sid": scope.account_sid, "service_sid": scope.service_sid, "sid": sid}
        await conversation_store.insert_conversation(tx, scope, Conversation(**made))
    return sid


def _message(
    tx: Transaction, scope: Scope, conversation_sid: str, index: int, recipients: int
) -> Message:
    made: dict[str, Any] = dict.fromkeys(Message.__struct_fields__)
    made |= {name: 0 for name in made if name.startswith(("receipts_", "date_"))}
    made |= {
        "account_sid": scope.account_sid,
        "service_sid": scope.service_sid,
        "conversation_sid": conversation_sid,
        "sid": tx.new_sid("IM"),
        "message_index": index,
        "author": "system",
        "attributes": "{}",
        "body": f"message {index}",
        "source": "API",
        "receipts_total": recipients,
    }
    return Message(**made)


async def _receipt(
    tx: Transaction, scope: Scope, message: Message, address: str
) -> SubmissionRecipient:
    """Insert a receipt; its participant is named after the address, for the tests to read."""
    message_sid = outbox_enqueue.new_message_sid(tx, "sms")
    receipt = Receipt(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        conversation_sid=message.conversation_sid,
        message_sid=message.sid,
        sid=tx.new_sid("DY"),
        sequence=tx.next_sequence(),
        participant_sid=f"MB{address}",
        channel_message_sid=message_sid,
        status=None,
        error_code=0,
        date_created=0,
        date_updated=0,
    )
    await message_receipt_store.insert_receipt(tx, scope, receipt)
    return SubmissionRecipient(receipt.sid, receipt.participant_sid, address, message_sid)
