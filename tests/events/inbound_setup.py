"""The setup of tests of inbound messages: a server, its webhooks, and a scripted carrier."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec

from parlour.channels.carrier import (
    CarrierUnavailable,
    InboundMessage,
)
from parlour.resources.carrier_numbers import store as carrier_number_store
from parlour.resources.carrier_numbers.store import CarrierNumber, CarrierRoute
from parlour.resources.inbox import store as inbox_store
from parlour.resources.messages import store as message_store
from parlour.resources.participants import store as participant_store
from parlour.store import event_log
from parlour.vocabulary import event_names
from parlour.vocabulary.scope import Scope
from tests.events.in_process_server import ACCOUNT_SID, InProcessServer
from tests.events.in_process_server import scenario_runner as server_scenario_runner

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.channels.inbound import InboundOutcome
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.inbox.store import InboundKey, InboxEntry
    from parlour.resources.messages.store import Message
    from parlour.resources.participants.store import Participant
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.event import Event
    from tests.events.webhook_backend import WebhookBackend

PHONE = "+15558675310"
SECOND_PHONE = "+15558675311"
OWN = "+15017122661"
SECOND_OWN = "+15017122662"
SERVICE = "MG" + "0" * 31 + "1"

CONVERSATIONS = "SELECT sid FROM conversation WHERE account_sid = $1 ORDER BY sequence LIMIT 1000"

_provider_ids = count(1)


def text_message(body: str | None = "Hello", **changes: Any) -> InboundMessage:
    """Return a text message of a phone to an own number, with another identifier each time."""
    made = InboundMessage(
        provider_id=f"provider {next(_provider_ids)}",
        channel="sms",
        sender=PHONE,
        receiver=OWN,
        group=(),
        body=body,
    )
    return msgspec.structs.replace(made, **changes)


class MediaKeeper:
    """A carrier that keeps media: by their locations, or an error."""

    def __init__(self, media: dict[str, bytes]) -> None:
        self.media = media
        self.reads: list[str] = []

    async def read_medium(self, location: str) -> bytes:
        """Return a medium. Raises CarrierUnavailable for an unknown one."""
        self.reads.append(location)
        if location not in self.media:
            raise CarrierUnavailable(f"no medium {location}")
        return self.media[location]


class InboundSetup:
    """A server with a messaging service, and the backend of its webhooks."""

    def __init__(self, instance: InProcessServer, backend: WebhookBackend) -> None:
        self.instance = instance
        self.backend = backend
        self.inbound = instance.app.channels.inbound

    async def listen(self, **changes: Any) -> None:
        """Enable every pre-action and post-action webhook."""
        await self.instance.enable_webhooks(self.backend, **changes)

    async def use_numbers(self, *numbers: CarrierNumber) -> None:
        """Put a table of numbers in force, as a carriers file does; senders stay virtual."""
        route = CarrierRoute("channel", carrier_number_store.EVERY_CHANNEL, "virtual")
        await self.instance.store.write(
            lambda tx: carrier_number_store.replace_all(tx, [route], numbers, "a digest")
        )

    async def converse(self, phone: str = PHONE, own: str = OWN, **form: str) -> Conversation:
        """Create a conversation with one phone."""
        made: Conversation = await self.instance.do("CreateConversation", {**form})
        await self.add(made.sid, Address=phone, ProxyAddress=own)
        return made

    async def add(self, conversation_sid: str, **binding: str) -> Any:
        """Add a participant by its binding."""
        form: dict[str, str | list[str]] = {
            f"MessagingBinding.{name}": value for name, value in binding.items()
        }
        return await self.instance.do(
            "CreateConversationParticipant", form, ConversationSid=conversation_sid
        )

    async def configure(self, address: str = OWN, kind: str = "sms", **rules: Any) -> Any:
        """Create an address configuration with auto-creation."""
        form = {f"AutoCreation.{name}": value for name, value in rules.items()}
        return await self.instance.do(
            "CreateConfigurationAddress",
            {"Type": kind, "Address": address, "AutoCreation.Enabled": "true"} | form,
        )

    async def accept(self, message: InboundMessage, carrier: str = "virtual") -> InboundKey:
        """Accept a message of a virtual phone of the account."""
        return await self.inbound.accept(carrier, message, account_sid=ACCOUNT_SID)

    async def receive(self, message: InboundMessage, carrier: str = "virtual") -> InboundOutcome:
        """Accept a message; return its outcome."""
        return await self.inbound.outcome(await self.accept(message, carrier))

    async def entry(self, key: InboundKey) -> InboxEntry:
        """Return the row of a message."""
        found = await self.instance.store.read(
            lambda tx: inbox_store.find_entry(
                tx, Scope(key.account_sid), key.carrier, key.provider_id
            )
        )
        assert found is not None
        return found

    async def events(self) -> list[Event]:
        """Return the event log of channels: the events with their source."""

        async def read(tx: Transaction) -> list[Event]:
            return await event_log.read_after(tx, 0, 1000)

        return [each for each in await self.instance.store.read(read) if each.source == "SMS"]

    async def messages(self, conversation_sid: str | None) -> list[Message]:
        """Return the messages of a conversation."""
        assert conversation_sid is not None
        sid, scope = conversation_sid, self.instance.scope
        return await self.instance.store.read(
            lambda tx: message_store.list_messages_between(tx, scope, sid, 0, 1000, 1000)
        )

    async def participants(self, conversation_sid: str | None) -> list[Participant]:
        """Return the participants of a conversation."""
        assert conversation_sid is not None
        sid, scope = conversation_sid, self.instance.scope
        return await self.instance.store.read(
            lambda tx: participant_store.list_all_participants(tx, scope, sid)
        )

    async def fetch(self, conversation_sid: str | None) -> Conversation:
        """Return a conversation."""
        assert conversation_sid is not None
        found: Conversation = await self.instance.do("FetchConversation", Sid=conversation_sid)
        return found

    async def post_requests(self) -> list[dict[str, str]]:
        """Return the parameters of post-action requests about channels, once all are delivered."""
        await self.instance.wait_until_idle()
        found = [each.values for each in self.backend.requests if each.path == "/post"]
        return [each for each in found if each["EventType"] != event_names.ON_DELIVERY_UPDATED]

    async def conversations(self) -> list[str]:
        """Return the SIDs of all conversations of the account."""
        rows = await self.instance.store.read(lambda tx: tx.all(CONVERSATIONS, ACCOUNT_SID))
        return [row[0] for row in rows]


Scenario = Callable[[InboundSetup], Awaitable[None]]
ScenarioRunner = Callable[[Scenario], None]


def scenario_runner(data: Path, **settings: Any) -> ScenarioRunner:
    """Return a function that runs a scenario on a separate server."""

    def run_scenario(scenario: Scenario) -> None:
        async def furnish(instance: InProcessServer, backend: WebhookBackend) -> None:
            await instance.do("UpdateConfiguration", {"DefaultMessagingServiceSid": SERVICE})
            await scenario(InboundSetup(instance, backend))

        server_scenario_runner(data, **settings)(furnish)

    return run_scenario
