"""Webhooks of what clients do: asked before, told after, with who did it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary import event_names
from tests.events.webhook_backend import answer

if TYPE_CHECKING:
    from tests.events.webhook_backend import Told
    from tests.realtime.users import People, Play

COMMON = {"Source": "SDK", "ClientIdentity": "alice"}


async def listen(people: People, **changes: Any) -> None:
    """Ask and tell everything that happens from now on."""
    await people.house.settled()
    form = {
        "PreWebhookUrl": people.hooks.url("/pre"),
        "PostWebhookUrl": people.hooks.url("/post"),
        "Filters": sorted(event_names.FILTERS),
    }
    await people.house.do("UpdateConfigurationWebhook", form | changes)


async def told(people: People) -> list[str]:
    """Everything that was asked and told since the last time, in order."""
    await people.house.settled()
    names = [each.event for each in people.hooks.told]
    for each in people.hooks.told:
        assert each.values | COMMON == each.values, each
    people.hooks.told.clear()
    return names


async def own_room(people: People) -> str:
    """A conversation that alice made and joined."""
    made = await people.post("alice", "Conversations", {})
    path = f"Conversations/{made.body['sid']}"
    await people.post("alice", f"{path}/Participants", {"identity": "alice"})
    return path


def test_every_change_of_a_client_is_asked_and_told(play: Play) -> None:
    async def scene(people: People) -> None:
        await listen(people)
        await people.session("alice")
        assert await told(people) == ["onUserAdded"]
        made = await people.post("alice", "Conversations", {"friendly_name": "n"})
        path = f"Conversations/{made.body['sid']}"
        assert await told(people) == ["onConversationAdd", "onConversationAdded"]
        await people.post("alice", f"{path}/Participants", {"identity": "alice"})
        assert await told(people) == ["onParticipantAdd", "onParticipantAdded"]
        await people.post("alice", f"{path}/Participants", {"identity": "new"})
        assert await told(people) == ["onParticipantAdd", "onUserAdded", "onParticipantAdded"]
        await people.post("alice", path, {"attributes": "{}"})
        assert await told(people) == ["onConversationUpdate", "onConversationUpdated"]
        await people.post("alice", f"{path}/Participants/new", {"attributes": "{}"})
        assert await told(people) == ["onParticipantUpdate", "onParticipantUpdated"]
        said = await people.post("alice", f"{path}/Messages", {"body": "b"})
        assert await told(people) == ["onMessageAdd", "onMessageAdded"]
        message = f"{path}/Messages/{said.body['sid']}"
        await people.post("alice", message, {"body": "c"})
        assert await told(people) == ["onMessageUpdate", "onMessageUpdated"]
        await people.post("alice", f"My{path}", {"last_read_message_index": 0})
        assert await told(people) == ["onParticipantUpdate", "onParticipantUpdated"]
        await people.post("alice", f"My{path}", {"notification_level": "muted"})
        assert await told(people) == []
        await people.delete("alice", message)
        assert await told(people) == ["onMessageRemove", "onMessageRemoved"]
        await people.post("alice", "Users/alice", {"friendly_name": "A"})
        assert await told(people) == ["onUserUpdate", "onUserUpdated"]
        await people.typing("alice", f"ChannelSid={made.body['sid']}".encode())
        assert await told(people) == []
        await people.delete("alice", f"{path}/Participants/new")
        assert await told(people) == ["onParticipantRemove", "onParticipantRemoved"]
        await people.delete("alice", path)
        assert await told(people) == ["onConversationRemove", "onConversationRemoved"]

    play(scene)


def test_the_read_horizon_is_told(play: Play) -> None:
    async def scene(people: People) -> None:
        path = await own_room(people)
        await people.house.say(path.partition("/")[2], "hello")
        await listen(people)
        await people.post("alice", f"My{path}", {"last_read_message_index": 0})
        await people.house.settled()
        (after,) = [each for each in people.hooks.told if each.event == "onParticipantUpdated"]
        assert after.values["LastReadMessageIndex"] == "0"
        assert after.values["Identity"] == "alice"

    play(scene)


def test_an_account_moves_the_read_horizon_in_silence(play: Play) -> None:
    async def scene(people: People) -> None:
        path = await own_room(people)
        await people.house.say(path.partition("/")[2], "hello")
        await listen(people)
        await people.house.do(
            "UpdateUserConversation",
            {"LastReadMessageIndex": "0"},
            UserSid="alice",
            ConversationSid=path.partition("/")[2],
        )
        await people.house.settled()
        assert people.hooks.told == []

    play(scene)


def test_a_backend_rejects_and_amends(play: Play) -> None:
    async def scene(people: People) -> None:
        path = await own_room(people)
        await listen(people)
        people.hooks.answers["/pre"] = answer(400)
        refused = await people.post("alice", f"{path}/Messages", {"body": "bad word"})
        assert refused.refusal == (403, 50056)
        assert (await people.get("alice", path)).body["messages_count"] == 0
        # The backend may say what the user may not: another author.
        amendment = '{"body":"good word","author":"moderator","attributes":"{\\"m\\":1}"}'
        people.hooks.answers["/pre"] = answer(200, amendment)
        said = await people.post("alice", f"{path}/Messages", {"body": "bad word"})
        assert said.status == 201
        assert (said.body["body"], said.body["author"]) == ("good word", "moderator")
        assert said.body["attributes"] == '{"m":1}'
        people.hooks.answers["/pre"] = answer(200, '{"friendly_name":"better"}')
        named = await people.post("alice", path, {"attributes": '{"a":1}'})
        assert (named.status, named.body["friendly_name"]) == (200, "better")
        people.hooks.answers["/pre"] = answer(200, '{"attributes":"no json"}')
        wrong = await people.post("alice", path, {"friendly_name": "worse"})
        assert wrong.refusal == (400, 50304)

    play(scene)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("Conversations/theirs/Messages", {"body": "b"}),
        ("MyConversations/theirs", {"last_read_message_index": 0}),
        ("Users/bob", {"friendly_name": "n"}),
        ("Conversations/theirs/Participants", {"identity": "alice"}),
    ],
)
def test_nobody_is_asked_about_what_is_not_permitted(play: Play, path: str, body: Any) -> None:
    async def scene(people: People) -> None:
        await people.room("bob", UniqueName="theirs")
        await people.session("alice")
        await listen(people)
        assert (await people.post("alice", path, body)).status in {403, 404}
        await people.house.settled()
        asked: list[Told] = people.hooks.told
        assert asked == []

    play(scene)
