"""Messages with media: over REST, by the official SDK, and in webhooks."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from parlour.resources.conversations import store as conversation_store
from parlour.resources.media import actions as media_actions
from parlour.resources.media import attachments as media_attachments
from parlour.resources.media import store as media_store
from parlour.resources.media.attachments import Attachment
from parlour.resources.media.parameters import Upload
from parlour.resources.messages import actions as message_actions
from parlour.resources.messages.parameters import CreateMessage, SendMessage
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET
from tests.contract.python_client import client_for
from tests.events.in_process_server import ALICE, InProcessServer
from tests.resources.media_setup import MediaClient
from tests.resources.participant_setup import ConversationClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from parlour.resources.messages.store import Message
    from parlour.store.transaction import Transaction
    from tests.support.client import Api

    Scenario = Callable[["MediaSender"], Awaitable[None]]
    ScenarioRunner = Callable[[Scenario], None]
    from tests.support.server import Server


@pytest.fixture
def media_client(server: Server, api: Api) -> MediaClient:
    """A client of the media of the default service."""
    sid = api.get("/Configuration").expect(200)["default_chat_service_sid"]
    return MediaClient.of_account(server, api, sid)


def test_the_official_sdk_sends_a_medium_and_reads_it(
    server: Server, media_client: MediaClient
) -> None:
    client = client_for(server, server.account_sid, server.auth_token)
    conversation = client.conversations.v1.conversations.create(friendly_name="with media")
    medium = media_client.add(
        b"\xff\xd8\xff\xe0", "image/jpeg", Filename="car.jpg", Category="history"
    )
    sent = conversation.messages.create(author="alice", body="look", media_sid=medium["sid"])
    expected = [
        {
            "category": "history",
            "filename": "car.jpg",
            "size": 4,
            "content_type": "image/jpeg",
            "sid": medium["sid"],
        }
    ]
    assert sent.media == expected
    assert conversation.messages(sent.sid).fetch().media == expected
    assert [each.media for each in conversation.messages.list()] == [expected]
    assert sent.body == "look"


def test_every_interface_names_each_member() -> None:
    members = set(Attachment.__struct_fields__) - {"is_content"}
    for form in (media_attachments.REST, media_attachments.COMMANDS, media_attachments.REALTIME):
        assert set(form.names) == members
    # The documented parameter has four members.
    assert set(media_attachments.WEBHOOKS.names) == members - {"category"}


def test_a_medium_belongs_to_one_message_only(
    server: Server, api: Api, media_client: MediaClient
) -> None:
    conversation = ConversationClient.make(server, api)
    medium = media_client.add()
    path = f"/Conversations/{conversation.sid}/Messages"
    api.post(path, MediaSid=medium["sid"]).expect(201)
    api.post(path, MediaSid=medium["sid"]).refuses(400, 50508)
    api.post(path, MediaSid="ME" + "0" * 32).refuses(400, 50507)


def test_a_message_that_is_refused_leaves_its_medium_free(
    server: Server, api: Api, media_client: MediaClient
) -> None:
    conversation = ConversationClient.make(server, api)
    medium = media_client.add()
    path = f"/Conversations/{conversation.sid}/Messages"
    api.post(path, MediaSid=medium["sid"], Attributes="{").refuses(400, 50304)
    assert media_client.look(medium["sid"]).expect(200)["message_sid"] is None
    api.post(path, MediaSid=medium["sid"]).expect(201)


def test_no_form_names_several(server: Server, api: Api, media_client: MediaClient) -> None:
    conversation = ConversationClient.make(server, api)
    first, second = media_client.add(), media_client.add()
    form: dict[str, Any] = {
        "MediaSids": [first["sid"], second["sid"]],
        "media_sids": first["sid"],
        "Body": "x",
    }
    made = api.post(f"/Conversations/{conversation.sid}/Messages", form).expect(201)
    assert made["media"] is None


# --- Connected users ----------------------------------------------------------------------


def test_a_client_names_several_where_a_form_names_one() -> None:
    sids = [f"ME{number:032x}" for number in range(10)]
    assert SendMessage.parse({"MediaSids": [sids[1].upper(), sids[0]]}).media_sids == sids[1::-1]
    assert SendMessage.parse({"MediaSids": [""]}).media_sids == []
    assert CreateMessage.parse({"MediaSids": sids}).media_sids is UNSET
    for text, code in (("ME12", 50510), ("IM" + "0" * 32, 50510)):
        with pytest.raises(ApiError) as refused:
            SendMessage.parse({"MediaSids": [sids[0], text]})
        assert refused.value.code == code


class MediaSender:
    """Alice's upload and message on a separate in-process server, as a socket would do it."""

    def __init__(self, instance: InProcessServer, conversation_sid: str) -> None:
        self.instance = instance
        self._conversation_sid = conversation_sid

    async def upload(self, identity: str | None = "alice", **fields: Any) -> str:
        """Insert the row of a medium without its file; return its sid."""
        sid = self.instance.app.random.sid(sids.MEDIA)
        values = {"size": 1, "content_type": "text/plain", "filename": None, "category": "media"}
        upload = Upload(sid=sid, **(values | fields))

        async def add(tx: Transaction) -> None:
            await media_actions.add_media(tx, self.instance.scope, identity, upload)

        await self.instance.store.write(add, ALICE)
        return sid

    async def send(self, *sids: str, **fields: Any) -> Message:
        """Send a message of alice with these media."""
        change = CreateMessage(media_sids=list(sids), **fields)

        async def add(tx: Transaction) -> Message:
            scope = self.instance.scope
            conversation = await conversation_store.find_conversation(
                tx, scope, self._conversation_sid
            )
            assert conversation is not None
            return await message_actions.add_message(tx, scope, conversation, change)

        return await self.instance.store.write(add, ALICE)

    async def refuses(self, code: int, *sids: str) -> None:
        """Check that such a message is rejected, and its media stay free."""
        with pytest.raises(ApiError) as refused:
            await self.send(*sids)
        assert (refused.value.code, refused.value.status) == (code, 400)


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scenario at a desk."""

    def run(scenario: Scenario) -> None:
        async def run_scenario() -> None:
            async with InProcessServer(tmp_path) as instance:
                conversation = await instance.do("CreateConversation")
                await instance.do(
                    "CreateConversationParticipant",
                    {"Identity": "alice"},
                    ConversationSid=conversation.sid,
                )
                await scenario(MediaSender(instance, conversation.sid))

        asyncio.run(run_scenario())

    return run


def test_a_users_message_carries_up_to_ten_with_their_categories(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(desk: MediaSender) -> None:
        wanted = [await desk.upload(category="body", filename="b.html")]
        wanted += [await desk.upload(size=number) for number in range(9)]
        message = await desk.send(*wanted, body="ten")
        assert message.media is not None
        shown = json.loads(message.media)
        assert [each["sid"] for each in shown] == wanted
        assert shown[0] == {
            "sid": wanted[0],
            "size": 1,
            "content_type": "text/plain",
            "filename": "b.html",
            "category": "body",
        }
        for sid in wanted:
            found = await desk.instance.store.read(
                lambda tx, sid=sid: media_store.find_media(tx, desk.instance.scope, sid)
            )
            assert found is not None
            assert found.message_sid == message.sid
        assert (await desk.send()).media is None

    run_scenario(scenario)


def test_a_user_sends_own_uploads_alone_and_each_once(run_scenario: ScenarioRunner) -> None:
    async def scenario(desk: MediaSender) -> None:
        own, of_bob, of_account = [await desk.upload(who) for who in ("alice", "bob", None)]
        await desk.refuses(50507, own, of_bob)
        await desk.refuses(50507, of_account)
        await desk.refuses(50508, own, own)
        await desk.send(own)
        await desk.refuses(50508, own)

    run_scenario(scenario)


def test_the_media_of_a_message_are_bounded_together(run_scenario: ScenarioRunner) -> None:
    async def scenario(desk: MediaSender) -> None:
        half = limits.MEDIA_PER_MESSAGE_BYTES_MAX // 2
        first, second, drop = [await desk.upload(size=size) for size in (half, half, 1)]
        await desk.refuses(50512, first, second, drop)
        await desk.send(first, second)
        await desk.send(drop)

    run_scenario(scenario)


@pytest.mark.promise("UNATTACHED_PER_UPLOADER_MAX", 429)
@pytest.mark.promise("UNATTACHED_BYTES_PER_UPLOADER_MAX", 429)
def test_unattached_media_are_bounded_for_each_user(run_scenario: ScenarioRunner) -> None:
    async def scenario(desk: MediaSender) -> None:
        large = limits.MEDIA_PER_MESSAGE_BYTES_MAX
        waiting = [await desk.upload(size=large) for _ in range(10)]
        with pytest.raises(ApiError) as refused:
            await desk.upload()
        assert (refused.value.code, refused.value.status) == (20429, 429)
        await desk.upload("bob")
        await desk.upload(None)
        await desk.send(waiting[0])
        for _ in range(limits.UNATTACHED_PER_UPLOADER_MAX - 9):
            await desk.upload(size=0)
        with pytest.raises(ApiError) as refused:
            await desk.upload(size=0)
        assert refused.value.code == 20429

    run_scenario(scenario)
