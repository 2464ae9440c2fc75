"""A conversation by e-mail through the whole server; the customer is a mail program of Node.js.

Checklist 15: a reply lands in the same conversation by tag, and by References without the tag.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.carriers.email_setup import encoded, mail_peer
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.ports import ReservedPort
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from tests.carriers.email_setup import MailPeer

HELP = "help@support.example.com"
ALICE = "alice@customer.example"
BOUNCED = "bounced@customer.example"
PNG = bytes(range(256)) * 20
CARRIERS = """
[carriers.mail]
type = "email"
domains = ["support.example.com"]
smtp_host = "127.0.0.1"
smtp_port = {relay}
smtp_tls = "none"
listen_port = {listener}

[[routes]]
channel = "email"
carrier = "mail"

[[numbers]]
address = "{address}"
account = "{account}"
auto_creation = true
"""

pytestmark = pytest.mark.slow


class MailDesk:
    """A server with an e-mail carrier, and its customer's mail program."""

    def __init__(self, server: Server, peer: MailPeer, listener: int) -> None:
        self.api = Api(server.base_url, server.account_sid, server.auth_token)
        self.peer = peer
        self.listener = listener

    def open_conversation(self, **participants: str) -> str:
        """Create a conversation with mailboxes: local parts and their levels."""
        form = {"Bindings.Email.Address": HELP, "Bindings.Email.Name": "Help desk"}
        sid = str(self.api.post("/v1/Conversations", form).expect(201)["sid"])
        for name, level in participants.items():
            self.api.post(
                f"/v1/Conversations/{sid}/Participants",
                {
                    "MessagingBinding.Type": "email",
                    "MessagingBinding.Address": f"{name}@customer.example",
                    "MessagingBinding.Level": level,
                    "MessagingBinding.Name": name.title(),
                },
            ).expect(201)
        return sid

    def write(self, conversation: str, body: str, **fields: str) -> str:
        form = {"Author": "agent", "Body": body, **fields}
        path = f"/v1/Conversations/{conversation}/Messages"
        return str(self.api.post(path, form).expect(201)["sid"])

    def messages(self, conversation: str) -> list[dict[str, Any]]:
        path = f"/v1/Conversations/{conversation}/Messages"
        return list(self.api.get(path).expect(200)["messages"])

    def wait_messages(self, conversation: str, count: int) -> list[dict[str, Any]]:
        return eventually(lambda: self.messages(conversation), lambda found: len(found) == count)

    def receipts(
        self, conversation: str, message: str, accept: Callable[[dict[str, Any]], object]
    ) -> dict[str, Any]:
        """Return status and error code by recipient, once they are accepted."""
        path = f"/v1/Conversations/{conversation}"
        names = {
            each["sid"]: each["messaging_binding"]["address"]
            for each in self.api.get(f"{path}/Participants").expect(200)["participants"]
        }

        def look() -> dict[str, Any]:
            found = self.api.get(f"{path}/Messages/{message}/Receipts").expect(200)
            return {
                names[each["participant_sid"]]: (each["status"], each["error_code"])
                for each in found["delivery_receipts"]
            }

        return eventually(look, accept)

    async def reply(self, **mail: Any) -> dict[str, Any]:
        members = {"from": f"Alice <{ALICE}>", "to": HELP, "text": "A reply", **mail}
        return await self.peer.send(self.listener, **members)


@contextlib.asynccontextmanager
async def mail_desk(folder: Path) -> AsyncIterator[MailDesk]:
    path = folder / "carriers.toml"
    server = Server(folder / "data", args=("--carriers", str(path)))
    async with mail_peer() as peer:
        with ReservedPort() as listener:
            places = {"relay": peer.port, "listener": listener.number}
            text = CARRIERS.format(address=HELP, account=server.account_sid, **places)
            path.write_text(text)
            with server:
                # A carrier opens its listener in the background, after the server's start.
                eventually(lambda: _listens(listener.number), bool)
                await peer.bounce_to(listener.number)
                yield MailDesk(server, peer, listener.number)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(folder: Path, scenario: Callable[[MailDesk], Coroutine[Any, Any, None]]) -> None:
    async def with_desk() -> None:
        async with mail_desk(folder) as desk:
            await scenario(desk)

    asyncio.run(asyncio.wait_for(with_desk(), 100))


@pytest.mark.channel("C42", "15")
def test_replies_land_in_their_conversation_by_tag_and_by_references(tmp_path: Path) -> None:
    async def scenario(desk: MailDesk) -> None:
        first = desk.open_conversation(alice="to", bob="cc")
        second = desk.open_conversation(alice="to")
        sent = desk.write(first, "Hello Alice", Subject="Your order")
        mail = await desk.peer.next("mail", text="Hello Alice\n")
        assert mail["toNames"] == [{"address": ALICE, "name": "Alice"}]
        assert [each["address"] for each in mail["ccNames"]] == ["bob@customer.example"]
        assert mail["fromName"] == [{"address": HELP, "name": "Help desk"}]
        assert mail["subject"] == "Your order"
        assert mail["messageId"] == f"<{sent}.{first}@support.example.com>"
        statuses = desk.receipts(first, sent, lambda found: len(found) == 2)
        assert set(statuses.values()) == {("sent", 0)}

        by_tag = {"to": mail["replyTo"][0]["address"], "subject": "Re: Your order"}
        content = {"filename": "plan.png", "content": encoded(PNG), "contentType": "image/png"}
        result = await desk.reply(**by_tag, text="By tag", attachments=[content])
        assert result["response"].startswith("250 ")
        answer = desk.wait_messages(first, 2)[1]
        assert (answer["author"], answer["body"]) == (ALICE, "By tag")
        assert [each["filename"] for each in answer["media"] if each["filename"]] == ["plan.png"]

        references = {"references": mail["messageId"], "inReplyTo": mail["messageId"]}
        await desk.reply(text="By references", **references)
        assert desk.wait_messages(first, 3)[2]["body"] == "By references"
        assert desk.messages(second) == []

        to_bob = await desk.peer.next("mail", text="By references\n")
        assert [each["address"] for each in to_bob["to"]] == ["bob@customer.example"]
        assert mail["messageId"] in to_bob["references"]

        desk.write(first, "Once more")
        third = await desk.peer.next("mail", text="Once more\n")
        assert mail["messageId"] in third["references"]
        assert third["inReplyTo"] == third["references"][-1]

    run(tmp_path, scenario)


def test_a_first_mail_opens_a_conversation_and_the_answer_continues_its_thread(
    tmp_path: Path,
) -> None:
    async def scenario(desk: MailDesk) -> None:
        result = await desk.reply(text="A question", subject="Broken")
        assert result["response"].startswith("250 ")

        def look() -> list[dict[str, Any]]:
            return list(desk.api.get("/v1/Conversations").expect(200)["conversations"])

        [conversation] = eventually(look, lambda found: len(found) == 1)
        assert conversation["bindings"]["email"]["projected_address"] == HELP
        [question] = desk.wait_messages(conversation["sid"], 1)
        assert (question["body"], question["author"]) == ("A question", ALICE)
        desk.write(conversation["sid"], "An answer", Subject="Re: Broken")
        mail = await desk.peer.next("mail", text="An answer\n")
        assert mail["inReplyTo"] == result["messageId"]
        await desk.reply(text="Thanks", inReplyTo=mail["messageId"])
        assert desk.wait_messages(conversation["sid"], 3)[2]["body"] == "Thanks"
        assert len(look()) == 1

    run(tmp_path, scenario)


@pytest.mark.channel("C42")
def test_receipts_show_refusals_bounces_and_deferrals_by_recipient(tmp_path: Path) -> None:
    async def scenario(desk: MailDesk) -> None:
        conversation = desk.open_conversation(alice="to", unknown="to", bounced="cc")
        sent = desk.write(conversation, "Hello")
        found = desk.receipts(
            conversation, sent, lambda each: each.get(BOUNCED, ("", 0))[0] == "undelivered"
        )
        assert found == {
            ALICE: ("sent", 0),
            "unknown@customer.example": ("failed", 30008),
            BOUNCED: ("undelivered", 30005),
        }
        [message] = desk.messages(conversation)
        delivery = message["delivery"]
        delivery = json.loads(delivery) if isinstance(delivery, str) else delivery
        assert delivery["total"] == 3
        assert (delivery["failed"], delivery["undelivered"]) == ("some", "some")

    run(tmp_path, scenario)


@pytest.mark.channel("C42")
def test_automatic_replies_create_no_message_and_strangers_addresses_are_refused(
    tmp_path: Path,
) -> None:
    async def scenario(desk: MailDesk) -> None:
        conversation = desk.open_conversation(alice="to")
        desk.write(conversation, "Hello")
        mail = await desk.peer.next("mail", text="Hello\n")
        reply_to = mail["replyTo"][0]["address"]
        away = await desk.reply(to=reply_to, headers={"Auto-Submitted": "auto-replied"})
        assert away["response"].startswith("250 ")
        other = await desk.reply(to="other@support.example.com")
        assert other["code"] == 550
        await desk.reply(to=reply_to, text="In person")
        assert [each["body"] for each in desk.wait_messages(conversation, 2)] == [
            "Hello",
            "In person",
        ]

    run(tmp_path, scenario)
