"""A tour through all webhook events, with all optional values and with none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from parlour.resources.messages import receipt_store as message_receipt_store
from parlour.resources.receipts import actions as receipt_actions
from parlour.resources.receipts.statuses import StatusReport
from parlour.vocabulary import event_names
from tests.events.in_process_server import InProcessServer
from tests.events.webhook_backend import WebhookBackend
from tests.support.seeded_blobs import write_zeros

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction
    from parlour.vocabulary.origin import Origin
    from tests.events.webhook_backend import WebhookRequest

ROBERT, OWN = "+15558675310", "+15017122661"
SECOND_OWN = "+15017122662"
ME = "ME" + "0" * 31 + "1"
HX = "HX" + "0" * 31 + "1"
SEED_MEDIA = """
INSERT INTO media (account_sid, service_sid, sid, message_sid, size, content_type, filename,
                   category, author, date_created, date_updated)
VALUES ($1, $2, $3, NULL, 12345, 'image/jpeg', 'cat.jpg', 'media', $4, $5, $5)
"""
SEED_TEMPLATE = """
INSERT INTO content_template (account_sid, sid, friendly_name, body, date_created, date_updated)
VALUES ($1, $2, 'greeting', 'Hello', 0, 0)
"""
REACHABLE = "UPDATE chat_user SET is_online = 1, is_notifiable = 0 WHERE account_sid = $1"


@dataclass
class TourResults:
    """The webhook requests of a tour."""

    before: list[WebhookRequest] = field(default_factory=list)
    after: list[WebhookRequest] = field(default_factory=list)
    scoped: list[WebhookRequest] = field(default_factory=list)
    service_sid: str = ""

    def at(self, place: str, event: str) -> list[dict[str, str]]:
        """The parameters of one event at one place."""
        return [request.values for request in getattr(self, place) if request.event == event]


async def tour(data: Path, origin: Origin, level: str) -> TourResults:
    """Do everything as this origin, with the webhooks of the account or of the service."""
    async with WebhookBackend() as backend, InProcessServer(data) as instance:
        urls = {"PreWebhookUrl": backend.url("/pre"), "PostWebhookUrl": backend.url("/post")}
        form: dict[str, Any] = {**urls, "Filters": sorted(event_names.FILTERS)}
        if level == "account":
            await instance.do("UpdateConfigurationWebhook", form)
        else:
            service = {"ChatServiceSid": instance.scope.service_sid}
            await instance.do("UpdateServiceWebhookConfiguration", form, **service)
        await instance.store.write(lambda tx: seed(tx, instance, origin))
        write_zeros(instance.app.settings.data, instance.scope.account_sid, ME, 12345)
        walk = _Walk(instance, backend, origin)
        await walk.users()
        await walk.rich_conversation()
        await walk.bare_conversation()
        await instance.wait_until_idle()
        return TourResults(
            backend.requests_to("/pre"),
            backend.requests_to("/post"),
            backend.requests_to("/scoped"),
            instance.scope.service_sid,
        )


async def seed(tx: Transaction, instance: InProcessServer, origin: Origin) -> None:
    """A medium that the origin uploaded, and a template."""
    owner = (instance.scope.account_sid, instance.scope.service_sid)
    await tx.run(SEED_MEDIA, *owner, ME, origin.client_identity, tx.now)
    await tx.run(SEED_TEMPLATE, instance.scope.account_sid, HX)


class _Walk:
    """The stations of a tour."""

    def __init__(self, instance: InProcessServer, backend: WebhookBackend, origin: Origin) -> None:
        self.instance = instance
        self.backend = backend
        self.origin = origin

    async def do(self, operation_id: str, form: dict[str, Any] | None = None, **path: str) -> Any:
        """One call as the origin of the tour."""
        return await self.instance.do(operation_id, form, origin=self.origin, **path)

    async def _listen(self, conversation_sid: str) -> None:
        await self.instance.attach(
            conversation_sid,
            Url=self.backend.url("/scoped"),
            Filters=sorted(event_names.SCOPED_FILTERS),
        )

    async def users(self) -> None:
        """Users with and without a name, known and unknown to be online."""
        await self.do("CreateUser", {"Identity": "plain"})
        await self.do("UpdateUser", {"Attributes": "{}"}, Sid="plain")
        await self.do("CreateUser", {"Identity": "named", "FriendlyName": "Named"})
        await self.instance.do(
            "UpdateServiceConfiguration",
            {"ReachabilityEnabled": "true"},
            ChatServiceSid=self.instance.scope.service_sid,
        )
        await self.instance.store.write(
            lambda tx: tx.run(REACHABLE, self.instance.scope.account_sid)
        )
        await self.do("UpdateUser", {"Attributes": '{"a":1}'}, Sid="named")

    async def rich_conversation(self) -> None:
        """A conversation with every value that can be given."""
        names = {"FriendlyName": "Rich", "UniqueName": "rich"}
        made = await self.do("CreateConversation", {**names, "Attributes": '{"k":"v"}'})
        await self._listen(made.sid)
        here = {"ConversationSid": made.sid}
        bob = await self.do("CreateConversationParticipant", {"Identity": "bob"}, **here)
        robert = {"MessagingBinding.Address": ROBERT, "MessagingBinding.ProxyAddress": OWN}
        robert_made = await self.do("CreateConversationParticipant", robert, **here)
        rich = {"Author": "bob", "Body": "Grüße & 50% off", "Subject": "s", "MediaSid": ME}
        message = await self.do("CreateConversationMessage", rich, **here)
        template = {"ContentSid": HX, "Author": "bob"}
        sent = await self.do("CreateConversationMessage", template, **here)
        await self.do("UpdateConversationMessage", {"Body": "changed"}, Sid=message.sid, **here)
        await self.do("UpdateConversationMessage", {"Attributes": "{}"}, Sid=sent.sid, **here)
        read = {"LastReadMessageIndex": "1"}
        await self.do("UpdateConversationParticipant", read, Sid=bob.sid, **here)
        other = {"Attributes": '{"n":1}'}
        await self.do("UpdateConversationParticipant", other, Sid=robert_made.sid, **here)
        await self.instance.wait_until_idle()  # Before the receipts of the message go with it.
        await self._fail_receipt(made.sid, sent.sid)
        await self.do("DeleteConversationMessage", Sid=sent.sid, **here)
        await self.do("DeleteConversationMessage", Sid=message.sid, **here)
        await self.do("UpdateConversation", {"State": "inactive"}, Sid=made.sid)
        await self.do("CreateConversationMessage", {"Body": "wake up"}, **here)
        for participant in (robert_made, bob):
            await self.do("DeleteConversationParticipant", Sid=participant.sid, **here)
        await self.do("DeleteConversation", Sid=made.sid)

    async def _fail_receipt(self, conversation_sid: str, message_sid: str) -> None:
        """One more receipt of the message, that ends badly."""
        scope = self.instance.scope

        async def work(tx: Transaction) -> None:
            receipt = message_receipt_store.Receipt(
                account_sid=scope.account_sid,
                service_sid=scope.service_sid,
                conversation_sid=conversation_sid,
                message_sid=message_sid,
                sid=tx.new_sid("DY"),
                sequence=tx.next_sequence(),
                participant_sid="MB" + "0" * 32,
                channel_message_sid=None,
                status=None,
                error_code=0,
                date_created=tx.now,
                date_updated=tx.now,
            )
            await message_receipt_store.insert_receipt(tx, scope, receipt)
            report = StatusReport("failed", 30003)
            assert await receipt_actions.record_status(tx, scope, receipt.sid, report)

        await self.instance.store.write(work)

    async def bare_conversation(self) -> None:
        """A conversation with nothing that can be left out, and a group."""
        made = await self.do("CreateConversation")
        await self._listen(made.sid)
        here = {"ConversationSid": made.sid}
        projected = {"MessagingBinding.ProjectedAddress": SECOND_OWN}
        lone = await self.do("CreateConversationParticipant", projected, **here)
        await self.do("UpdateConversationParticipant", {"Attributes": "{}"}, Sid=lone.sid, **here)
        await self.do("DeleteConversationParticipant", Sid=lone.sid, **here)
        # By e-mail: the only participants with a level.
        mail = {"MessagingBinding.Address": "robert@example.com"}
        mailed = await self.do("CreateConversationParticipant", mail, **here)
        await self.do("UpdateConversationParticipant", {"Attributes": "{}"}, Sid=mailed.sid, **here)
        await self.do("DeleteConversationParticipant", Sid=mailed.sid, **here)
        message = await self.do("CreateConversationMessage", {"Author": "nobody"}, **here)
        await self.do("UpdateConversationMessage", {"Attributes": "{}"}, Sid=message.sid, **here)
        await self.do("DeleteConversationMessage", Sid=message.sid, **here)
        await self.do("UpdateConversation", {"Attributes": "{}"}, Sid=made.sid)
        await self.do("DeleteConversation", Sid=made.sid)
