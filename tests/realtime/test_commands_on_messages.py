"""Commands that send, update and remove messages, and their results."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.channels.outbox_queue import CarrierQueue
from parlour.resources.outbox.store import decode_recipients
from parlour.resources.receipts import actions as receipt_actions
from parlour.resources.receipts.statuses import StatusReport
from parlour.vocabulary.errors import ApiError
from tests.events.event_log_setup import poll_until
from tests.realtime.clients import NOT_PERMITTED

if TYPE_CHECKING:
    from parlour.channels.carrier import Carrier
    from parlour.channels.outbox_results import LoadedSubmission
    from parlour.store.transaction import Transaction
    from tests.realtime.clients import RealtimeClients, ScenarioRunner

COMMANDS = "https://aim.us1.twilio.com/Client/v2"
ROBERT, OWN = "+15558675310", "+15017122661"
HX = "HX" + "0" * 31 + "1"
SEED_MEDIA = """
INSERT INTO media (account_sid, service_sid, sid, message_sid, size, content_type, filename,
                   category, author, date_created, date_updated)
VALUES ($1, $2, $3, NULL, 67, 'image/png', 'a.png', 'media', $4, $5, $5)
"""
SEED_TEMPLATE = """
INSERT INTO content_template (account_sid, sid, friendly_name, body, date_created, date_updated)
VALUES ($1, $2, 'greeting', 'Hello {{1}} and {{name}}, {{1}}', 0, 0)
"""


async def seed_media(clients: RealtimeClients, identity: str, number: int = 1) -> str:
    """Return a medium that a user has uploaded."""
    sid = f"ME{number:032x}"
    owner = (clients.instance.scope.account_sid, clients.instance.scope.service_sid)

    async def seed(tx: Transaction) -> None:
        await tx.run(SEED_MEDIA, *owner, sid, identity, tx.now)

    await clients.instance.store.write(seed)
    return sid


async def seed_template(clients: RealtimeClients, sid: str = HX) -> None:
    """Return a content template of the account."""

    async def seed(tx: Transaction) -> None:
        await tx.run(SEED_TEMPLATE, clients.instance.scope.account_sid, sid)

    await clients.instance.store.write(seed)


def test_saying_something(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob", "carol")
        body = {"body": "hello carol", "attributes": '{"mood":"ok"}', "subject": "s"}
        sent = await clients.post("bob", f"Conversations/{sid}/Messages", body)
        assert sent.status == 201
        url = f"{COMMANDS}/Conversations/{sid}"
        shown = sent.body
        assert shown == {
            "account_sid": clients.instance.scope.account_sid,
            "chat_service_sid": clients.instance.scope.service_sid,
            "conversation_sid": sid,
            "sid": shown["sid"],
            "index": 0,
            "author": "bob",
            "participant_sid": shown["participant_sid"],
            **body,
            "date_created": shown["date_created"],
            "date_updated": shown["date_created"],
            "media": None,
            "content_sid": None,
            "delivery": None,
            "url": f"{url}/Messages/{shown['sid']}",
            "links": {
                "conversation": url,
                "messages_receipts": f"{url}/Messages/{shown['sid']}/Receipts",
            },
        }
        own = await clients.instance.do(
            "FetchConversationParticipant", ConversationSid=sid, Sid="bob"
        )
        assert shown["participant_sid"] == own.sid
        second = await clients.post("carol", f"Conversations/{sid}/Messages", {"body": ""})
        assert (second.body["index"], second.body["body"]) == (1, "")
        assert (second.body["attributes"], second.body["subject"]) == ("{}", None)

    run_scenario(scenario)


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"body": "b" * 32769}, (400, 50504)),
        ({"body": ["b"]}, (400, 20001)),
        ({"body": "b", "attributes": "{"}, (400, 50304)),
        ({"body": "b", "attributes": '"' + "a" * 4096 + '"'}, (400, 50303)),
        ({"media_sids": ["ME" + "f" * 32]}, (400, 50507)),
        ({"media_sids": ["ME1"]}, (400, 50510)),
        ({"media_sids": [""]}, (400, 20001)),
        ({"media_sids": "ME" + "f" * 32}, (400, 20001)),
        ({"media_sids": [7]}, (400, 20001)),
        ({"media_sids": ["ME" + "f" * 32] * 11}, (400, 20001)),
        ({"content_sid": "HX" + "f" * 32}, (400, 50526)),
        ({"content_variables": '{"1":"x"}'}, (400, 50528)),
        ({"content_sid": HX, "content_variables": "[]"}, (400, 50527)),
    ],
)
def test_saying_is_refused(
    run_scenario: ScenarioRunner, body: Any, refused: tuple[int, int]
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        await seed_template(clients)
        asked = await clients.post("bob", f"Conversations/{sid}/Messages", body)
        assert asked.refusal == refused

    run_scenario(scenario)


def test_media_are_carried(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob", "carol")
        own = [await seed_media(clients, "bob", number) for number in (1, 2)]
        theirs = await seed_media(clients, "carol", 3)
        path = f"Conversations/{sid}/Messages"
        sent = await clients.post("bob", path, {"media_sids": own, "attributes": "{}"})
        assert sent.status == 201
        assert sent.body["body"] is None
        assert [each["sid"] for each in sent.body["media"]] == own
        assert sent.body["media"][0] == {
            "sid": own[0],
            "size": 67,
            "content_type": "image/png",
            "filename": "a.png",
            "category": "media",
        }
        again = await clients.post("bob", path, {"media_sids": own[:1]})
        assert again.refusal == (400, 50508)
        stolen = await clients.post("bob", path, {"media_sids": [theirs]})
        assert stolen.refusal == (400, 50507)
        none = await clients.post("bob", path, {"body": "b", "media_sids": []})
        assert (none.status, none.body["media"]) == (201, None)

    run_scenario(scenario)


def test_rich_content(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        await seed_template(clients)
        body = {"media_sids": [], "content_sid": HX, "content_variables": '{"1":"Bob"}'}
        sent = await clients.post("bob", f"Conversations/{sid}/Messages", body)
        assert sent.status == 201
        assert sent.body["content_sid"] == HX
        assert sent.body["body"] == "Hello Bob and {{name}}, Bob"
        (medium,) = sent.body["media"]
        assert medium == {
            "category": "body",
            "filename": None,
            "size": len('{"data":{"body":"Hello Bob and {{name}}, Bob"}}'),
            "content_type": "application/x-vnd.com.twilio.rich.twilio.text",
            "sid": medium["sid"],
        }
        edited = await clients.post(
            "bob", f"Conversations/{sid}/Messages/{sent.body['sid']}", {"body": "other"}
        )
        assert edited.body["media"] == [medium]

    run_scenario(scenario)


def test_content_templates_are_listed(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        empty = await clients.get("bob", "ContentTemplates", PageSize="100")
        assert empty == (
            200,
            {
                "templates": [],
                "meta": {
                    "page_size": 100,
                    "previous_token": None,
                    "next_token": None,
                    "key": "templates",
                },
            },
        )
        await seed_template(clients)
        await seed_template(clients, "HX" + "0" * 31 + "2")
        first = await clients.get("bob", "ContentTemplates", PageSize="1")
        assert first.body["templates"] == [
            {
                "sid": HX,
                "account_sid": clients.instance.scope.account_sid,
                "friendly_name": "greeting",
                "variables": '{"1":"","name":""}',
                "variants": {"twilio/text": {"body": "Hello {{1}} and {{name}}, {{1}}"}},
                "date_created": "1970-01-01T00:00:00.000Z",
                "date_updated": "1970-01-01T00:00:00.000Z",
            }
        ]
        token = first.body["meta"]["next_token"]
        last = await clients.get("bob", "ContentTemplates", PageSize="1", PageToken=token)
        assert [each["sid"] for each in last.body["templates"]] == ["HX" + "0" * 31 + "2"]
        assert last.body["meta"]["next_token"] is None

    run_scenario(scenario)


def test_a_message_is_changed_in_parts(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        path = f"Conversations/{sid}/Messages"
        sent = await clients.post("bob", path, {"body": "first", "attributes": '{"a":1}'})
        own = f"{path}/{sent.body['sid']}"
        edited = await clients.post("bob", own, {"body": "second"})
        assert (edited.status, edited.body["body"]) == (200, "second")
        assert edited.body["attributes"] == '{"a":1}'
        edited = await clients.post("bob", own, {"attributes": '{"b":2}'})
        assert (edited.body["body"], edited.body["attributes"]) == ("second", '{"b":2}')
        assert (await clients.post("bob", own, {"author": "carol"})).refusal == (400, 20161)
        assert (await clients.post("bob", own, {"attributes": "{"})).refusal == (400, 50304)
        assert (await clients.post("bob", own, {"body": "b" * 32769})).refusal == (400, 50504)
        assert await clients.delete("bob", own) == (204, None)
        missing = f"{path}/IM{'0' * 32}"
        for answer in (
            await clients.delete("bob", own),
            await clients.post("bob", own, {"body": "x"}),
            await clients.post("bob", missing, {"body": "x"}),
            await clients.post("bob", f"{path}/0", {"body": "x"}),
            await clients.get("bob", f"{own}/Receipts"),
            await clients.get(
                "bob", f"Conversations/{sid}/MessageRecipients", MessageSid=sent.body["sid"]
            ),
        ):
            assert answer.refusal == (404, 50500)

    run_scenario(scenario)


def test_receipts(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        for number in (0, 1, 2):
            robert = {
                "MessagingBinding.Address": f"{ROBERT[:-1]}{number}",
                "MessagingBinding.ProxyAddress": OWN,
            }
            await clients.instance.do("CreateConversationParticipant", robert, ConversationSid=sid)
        sent = await clients.post("bob", f"Conversations/{sid}/Messages", {"body": "hi"})
        assert sent.body["delivery"]["total"] == 3
        await clients.instance.wait_until_idle()
        path = f"Conversations/{sid}/Messages/{sent.body['sid']}/Receipts"
        whole = await clients.get("bob", path)
        assert whole.status == 200
        found = whole.body["delivery_receipts"]
        assert len(found) == 3
        assert (
            found[0]
            | {
                "message_sid": sent.body["sid"],
                "conversation_sid": sid,
            }
            == found[0]
        )
        assert set(found[0]) == {
            "sid",
            "message_sid",
            "conversation_sid",
            "channel_message_sid",
            "participant_sid",
            "status",
            "error_code",
            "date_created",
            "date_updated",
        }

        assert {each["status"] for each in found} == {"delivered"}

        async def read(tx: Transaction) -> None:
            await receipt_actions.record_status(
                tx, clients.instance.scope, found[0]["sid"], StatusReport("read")
            )

        await clients.instance.store.write(read)
        page = await clients.get("bob", path, PageSize="2")
        assert page.body["delivery_receipts"][0]["status"] == "read"
        assert page.body["delivery_receipts"][0]["error_code"] == 0
        token = page.body["meta"]["next_token"]
        rest = await clients.get("bob", path, PageSize="2", PageToken=token)
        assert [each["sid"] for each in rest.body["delivery_receipts"]] == [found[2]["sid"]]
        assert rest.body["meta"]["next_token"] is None

    run_scenario(scenario)


def receipt_sids(loaded: LoadedSubmission) -> list[str]:
    found = decode_recipients(loaded.submission.recipients)
    return [each.receipt_sid for each in found if each.receipt_sid is not None]


def test_a_receipt_is_not_found_before_its_first_status(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The carrier holds the message while all clients read it."""
    given: list[str] = []
    released = asyncio.Event()
    send = CarrierQueue._send

    async def held(self: CarrierQueue, carrier: Carrier, loaded: LoadedSubmission) -> None:
        given.extend(receipt_sids(loaded))
        await released.wait()
        await send(self, carrier, loaded)

    monkeypatch.setattr(CarrierQueue, "_send", held)

    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        here = {"ConversationSid": sid}
        robert = {"MessagingBinding.Address": ROBERT, "MessagingBinding.ProxyAddress": OWN}
        await clients.instance.do("CreateConversationParticipant", robert, **here)
        sent = await clients.post("bob", f"Conversations/{sid}/Messages", {"body": "hi"})
        message = {"MessageSid": sent.body["sid"], **here}
        path = f"Conversations/{sid}/Messages/{sent.body['sid']}/Receipts"

        async def listed() -> list[str]:
            page = await clients.get("bob", path)
            return [each["sid"] for each in page.body["delivery_receipts"]]

        await poll_until(lambda: given)
        assert await listed() == []
        with pytest.raises(ApiError) as refused:
            await clients.instance.do("FetchConversationMessageReceipt", Sid=given[0], **message)
        assert (refused.value.status, refused.value.code) == (404, 20404)
        assert sent.body["delivery"]["sent"] == "none"
        released.set()
        await clients.instance.wait_until_idle()
        assert await listed() == given
        found = await clients.instance.do(
            "FetchConversationMessageReceipt", Sid=given[0], **message
        )
        assert found.status == "delivered"

    run_scenario(scenario)


def test_recipients_by_email(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        here = {"ConversationSid": sid}
        for address in ("ann@mail.example", "ben@mail.example"):
            await clients.instance.do(
                "CreateConversationParticipant", {"MessagingBinding.Address": address}, **here
            )
        robert = {"MessagingBinding.Address": ROBERT, "MessagingBinding.ProxyAddress": OWN}
        await clients.instance.do("CreateConversationParticipant", robert, **here)
        sent = [
            await clients.post("bob", f"Conversations/{sid}/Messages", {"body": "to both"}),
            await clients.post("bob", f"Conversations/{sid}/Messages", {"body": "again"}),
        ]
        answered = await clients.instance.send_message(sid, "thanks", Author="ann@mail.example")
        path = f"Conversations/{sid}/MessageRecipients"

        def recipient(message_sid: str, level: str, address: str) -> dict[str, Any]:
            return {
                "message_sid": message_sid,
                "type": "email",
                "level": level,
                "name": None,
                "address": address,
            }

        one = await clients.get("bob", path, MessageSid=answered.sid)
        assert one.status == 200
        assert one.body["message_recipients"] == [
            recipient(answered.sid, "from", "ann@mail.example"),
            recipient(answered.sid, "to", "ben@mail.example"),
        ]
        identities = [
            recipient(message.body["sid"], "to", address)
            for message in sent
            for address in ("ann@mail.example", "ben@mail.example")
        ] + one.body["message_recipients"]
        whole = await clients.get("bob", path)
        assert whole.body["message_recipients"] == identities
        page = await clients.get("bob", path, PageSize="1")
        assert page.body["message_recipients"] == identities[:2]
        token = page.body["meta"]["next_token"]
        rest = await clients.get("bob", path, PageToken=token)
        assert rest.body["message_recipients"] == identities[2:]
        assert rest.body["meta"]["next_token"] is None
        wrong = await clients.get("bob", path, MessageSid="7")
        assert wrong.refusal == (400, 50501)

    run_scenario(scenario)


def test_no_message_has_channel_metadata(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        sent = await clients.post("bob", f"Conversations/{sid}/Messages", {"body": "hi"})
        path = f"Conversations/{sid}/Messages/{sent.body['sid']}/ChannelMetadata"
        assert (await clients.get("bob", path)).refusal == (403, 50531)
        role = await clients.instance.do(
            "CreateRole",
            {
                "FriendlyName": "reader",
                "Type": "conversation",
                "Permission": "readChannelMetadata",
            },
        )
        await clients.instance.do(
            "UpdateConversationParticipant",
            {"RoleSid": role.sid},
            ConversationSid=sid,
            Sid="bob",
        )
        assert (await clients.get("bob", path)).refusal == (404, 50530)

    run_scenario(scenario)


def test_messages_of_others(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        theirs = await clients.instance.send_message(sid, "theirs")
        path = f"Conversations/{sid}/Messages/{theirs.sid}"
        assert (await clients.post("bob", path, {"body": "mine"})).refusal == NOT_PERMITTED
        assert (await clients.post("bob", path, {"attributes": "{}"})).refusal == NOT_PERMITTED
        assert (await clients.delete("bob", path)).refusal == NOT_PERMITTED

    run_scenario(scenario)
