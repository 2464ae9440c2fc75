"""User conversations: a user's view of a conversation, and its unread messages."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.participant_setup import DATE, ConversationClient
from tests.resources.unique_names import unique
from tests.support.server_database import connect

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server

KEYS = [
    "account_sid", "chat_service_sid", "conversation_sid", "unread_messages_count",
    "last_read_message_index", "participant_sid", "user_sid", "friendly_name",
    "conversation_state", "timers", "attributes", "date_created", "date_updated", "created_by",
    "notification_level", "unique_name", "url", "links",
]  # fmt: skip


class Seat:
    """A conversation with one user in it."""

    def __init__(self, server: Server, api: Api, **form: str) -> None:
        self.conversation = ConversationClient.make(server, api, **form)
        self.identity = unique("reader")
        self.member = self.conversation.chat(self.identity)
        self.api = api
        self.path = f"/Users/{self.identity}/Conversations/{self.conversation.sid}"

    def fetch(self) -> dict[str, Any]:
        """Fetch the user conversation."""
        found: dict[str, Any] = self.api.get(self.path).expect(200)
        return found

    def update(self, **form: str) -> dict[str, Any]:
        """Update the user conversation; return it as in the response, which a fetch must equal."""
        changed: dict[str, Any] = self.api.post(self.path, form).expect(200)
        assert self.fetch() == changed
        assert list(changed) == KEYS
        return changed

    def unread(self) -> int | None:
        """Return the number of unread messages, which must agree in the list and alone."""
        alone: int | None = self.fetch()["unread_messages_count"]
        listed = self.api.get(f"/Users/{self.identity}/Conversations").expect(200)
        assert [each["unread_messages_count"] for each in listed["conversations"]] == [alone]
        return alone


@pytest.fixture
def seat(server: Server, form_api: Api) -> Seat:
    return Seat(server, form_api)


def test_it_shows_the_conversation_and_the_place_of_the_user(server: Server, form_api: Api) -> None:
    name = unique("visit")
    seat = Seat(
        server, form_api, FriendlyName="Visit", UniqueName=name, Attributes='{"a": 1}',
        State="inactive", **{"Timers.Closed": "P1D"},
    )  # fmt: skip
    shown, conversation = seat.fetch(), seat.conversation.resource
    user = form_api.get(f"/Users/{seat.identity}").expect(200)
    root = f"{form_api.base_url}{form_api.prefix}"
    assert shown == {
        "account_sid": form_api.sid,
        "chat_service_sid": conversation["chat_service_sid"],
        "conversation_sid": conversation["sid"],
        "unread_messages_count": None,
        "last_read_message_index": None,
        "participant_sid": seat.member["sid"],
        "user_sid": user["sid"],
        "friendly_name": "Visit",
        "conversation_state": "inactive",
        "timers": conversation["timers"],
        "attributes": '{"a": 1}',
        "date_created": conversation["date_created"],
        "date_updated": conversation["date_updated"],
        "created_by": "system",
        "notification_level": "default",
        "unique_name": name,
        "url": f"{root}/Users/{user['sid']}/Conversations/{conversation['sid']}",
        "links": {
            "participant": seat.member["url"],
            "conversation": conversation["url"],
        },
    }
    assert list(shown) == KEYS
    assert DATE.fullmatch(shown["timers"]["date_closed"])
    for path in (
        f"/Users/{user['sid']}/Conversations/{name}",
        f"/Users/{seat.identity}/Conversations/{name}",
        f"/Users/{user['sid']}/Conversations/{conversation['sid']}",
    ):
        assert form_api.get(path).expect(200) == shown


def test_a_non_participant_gets_404(seat: Seat, foreign_api: Api) -> None:
    other = unique("other")
    seat.api.post("/Users", Identity=other).expect(201)
    elsewhere = seat.api.post("/Conversations").expect(201)["sid"]
    for path in (
        f"/Users/{other}/Conversations/{seat.conversation.sid}",
        f"/Users/nobody/Conversations/{seat.conversation.sid}",
        f"/Users/{seat.identity}/Conversations/{elsewhere}",
        f"/Users/{seat.identity}/Conversations/nowhere",
        f"/Users/{seat.identity}/Conversations/CH{'0' * 32}",
    ):
        error = seat.api.get(path).refuses(404, 20404)
        if seat.api.prefix == "/v1":
            assert error["message"] == f"The requested resource {path} was not found"
        seat.api.post(path, NotificationLevel="muted").refuses(404, 20404)
        seat.api.delete(path).refuses(404, 20404)
    foreign_api.get(seat.path).refuses(404, 20404)
    seat.api.get("/Users/nobody/Conversations").refuses(404, 20404)


# --- Unread messages


def test_nothing_is_unread_until_something_was_read(seat: Seat) -> None:
    seat.conversation.send_messages(3)
    assert seat.unread() is None
    for index, unread in ((0, 2), (1, 1), (2, 0), (0, 2)):
        changed = seat.update(LastReadMessageIndex=str(index))
        assert changed["last_read_message_index"] == index
        assert changed["unread_messages_count"] == unread
    seat.conversation.send_messages(1)
    assert seat.unread() == 3
    for text in ("", "null"):
        seat.update(LastReadMessageIndex="1")
        cleared = seat.update(LastReadMessageIndex=text)
        assert (cleared["last_read_message_index"], cleared["unread_messages_count"]) == (
            None,
            None,
        )


def test_removed_messages_are_not_unread(seat: Seat) -> None:
    seat.conversation.send_messages(5)
    seat.update(LastReadMessageIndex="1")
    messages = f"/Conversations/{seat.conversation.sid}/Messages"
    sids = [each["sid"] for each in seat.api.get(messages).expect(200)["messages"]]
    assert seat.unread() == 3
    for removed, unread in ((0, 3), (3, 2), (1, 2), (4, 1), (2, 0)):
        seat.api.delete(f"{messages}/{sids[removed]}").expect(204)
        assert seat.unread() == unread
    seat.conversation.send_messages(2)
    assert seat.unread() == 2


def test_own_messages_count_as_well(seat: Seat) -> None:
    messages = f"/Conversations/{seat.conversation.sid}/Messages"
    seat.api.post(messages, Author=seat.identity, Body="first").expect(201)
    seat.update(LastReadMessageIndex="0")
    seat.api.post(messages, Author=seat.identity, Body="second").expect(201)
    assert seat.unread() == 1


def test_unread_messages_are_counted_up_to_a_thousand(server: Server, form_api: Api) -> None:
    seat = Seat(server, form_api)
    seat.conversation.send_messages(1)
    seat.update(LastReadMessageIndex="0")
    for total, removed, unread in ((999, 0, 999), (1000, 0, 1000), (2000, 0, 1000)):
        copy_messages(seat, total, removed)
        assert seat.unread() == unread
    # With removed messages, whether the difference alone decides or a count does.
    for total, removed, unread in ((2500, 1400, 1000), (1500, 600, 900), (1200, 199, 1000)):
        copy_messages(seat, total, removed)
        assert seat.unread() == unread


def copy_messages(seat: Seat, total: int, removed: int) -> None:
    """Insert messages with the indexes 1 to ``total``, the first of which are removed again."""
    with closing(connect(seat.conversation.server)) as connection, connection:
        where = "conversation_sid = ? AND message_index"
        connection.execute(f"DELETE FROM message WHERE {where} > 0", (seat.conversation.sid,))
        found = connection.execute(
            f"SELECT * FROM message WHERE {where} = 0", (seat.conversation.sid,)
        )
        names = [name for name, *_ in found.description]
        row = dict(zip(names, found.fetchone(), strict=True))
        places = ", ".join("?" * len(row))
        connection.executemany(
            f"INSERT INTO message VALUES ({places})",
            (
                tuple((row | {"sid": f"{row['sid']}{index}", "message_index": index}).values())
                for index in range(1 + removed, 1 + total)
            ),
        )
        connection.execute(
            "UPDATE conversation SET next_message_index = ?, removed_messages = ? WHERE sid = ?",
            (total + 1, removed, seat.conversation.sid),
        )


def test_the_read_horizon_is_the_participants(seat: Seat) -> None:
    seat.conversation.send_messages(2)
    moment = "2025-05-04T09:42:00Z"
    changed = seat.update(LastReadMessageIndex="1", LastReadTimestamp="2025-05-04T09:42:00+00:00")
    assert changed["last_read_message_index"] == 1
    member = seat.api.get(f"{seat.conversation.path}/{seat.identity}").expect(200)
    assert (member["last_read_message_index"], member["last_read_timestamp"]) == (1, moment)
    seat.conversation.update(seat.member, {"LastReadMessageIndex": "0"}).expect(200)
    assert seat.fetch()["last_read_message_index"] == 0
    seat.update(LastReadTimestamp=moment)
    member = seat.api.get(f"{seat.conversation.path}/{seat.identity}").expect(200)
    assert (member["last_read_message_index"], member["last_read_timestamp"]) == (0, moment)


def test_an_index_above_the_newest_message_means_the_newest(seat: Seat) -> None:
    assert seat.update(LastReadMessageIndex="7")["last_read_message_index"] is None
    seat.conversation.send_messages(2)
    changed = seat.update(LastReadMessageIndex="7")
    assert (changed["last_read_message_index"], changed["unread_messages_count"]) == (1, 0)


# --- Whether a user is notified


def test_a_conversation_is_muted_for_one_user_alone(seat: Seat) -> None:
    other = unique("other")
    seat.conversation.chat(other)
    for text, level in (("muted", "muted"), ("DEFAULT", "default"), ("Muted", "muted")):
        assert seat.update(NotificationLevel=text)["notification_level"] == level
    theirs = seat.api.get(f"/Users/{other}/Conversations/{seat.conversation.sid}").expect(200)
    assert theirs["notification_level"] == "default"


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, 20161),
        ({"Attributes": "{}"}, 20161),
        ({"NotificationLevel": ""}, 50210),
        ({"NotificationLevel": "loud"}, 50210),
        ({"LastReadMessageIndex": "-1"}, 50421),
        ({"LastReadMessageIndex": "one"}, 50421),
        ({"LastReadTimestamp": "today"}, 50405),
        ({"NotificationLevel": "muted", "LastReadMessageIndex": "-1"}, 50421),
    ],
)
def test_a_bad_change_is_refused_and_changes_nothing(
    seat: Seat, form: dict[str, str], code: int
) -> None:
    before, events_before = seat.fetch(), seat.conversation.events()
    seat.api.post(seat.path, form).refuses(400, code)
    assert seat.fetch() == before
    assert seat.conversation.events() == events_before


def test_these_changes_call_no_webhook(seat: Seat) -> None:
    header = {"X-Twilio-Webhook-Enabled": "true"}
    seat.conversation.send_messages(1)
    begun = len(seat.conversation.events())
    seat.api.post(seat.path, NotificationLevel="muted", headers=header).expect(200)
    seat.api.post(seat.path, LastReadMessageIndex="0", headers=header).expect(200)
    both = {"NotificationLevel": "default", "LastReadMessageIndex": "0"}
    seat.api.post(seat.path, both, headers=header).expect(200)
    seat.api.delete(seat.path, headers=header).expect(204)
    assert seat.conversation.events()[begun:] == [
        ("userConversationUpdated", False),
        ("onParticipantUpdated", False),
        ("onParticipantUpdated", False),
        ("userConversationUpdated", False),
        ("onParticipantRemoved", False),
    ]


def test_muting_is_no_update_of_the_participant(seat: Seat) -> None:
    before = seat.conversation.fetch(seat.member)
    seat.update(NotificationLevel="muted")
    assert seat.conversation.fetch(seat.member) == before


# --- In which state


def test_a_closed_conversation_is_readable_but_rejects_changes(seat: Seat) -> None:
    seat.api.post(f"/Conversations/{seat.conversation.sid}", State="closed").expect(200)
    shown = seat.fetch()
    assert (shown["conversation_state"], shown["timers"]) == ("closed", {})
    listed = seat.api.get(f"/Users/{seat.identity}/Conversations").expect(200)
    assert listed["conversations"] == [shown]
    seat.api.post(seat.path, NotificationLevel="muted").refuses(400, 50377)
    seat.api.delete(seat.path).refuses(400, 50377)
    assert seat.fetch() == shown


# --- Delete and list


def test_removing_it_removes_the_participant(seat: Seat) -> None:
    seat.conversation.send_messages(1)
    seat.update(LastReadMessageIndex="0", NotificationLevel="muted")
    answer = seat.api.delete(seat.path)
    assert (answer.status, answer.body) == (204, b"")
    seat.api.delete(seat.path).refuses(404, 20404)
    seat.api.get(f"{seat.conversation.path}/{seat.identity}").refuses(404, 20404)
    seat.api.get(f"/Users/{seat.identity}").expect(200)
    seat.conversation.chat(seat.identity)
    shown = seat.fetch()
    assert (shown["last_read_message_index"], shown["notification_level"]) == (None, "default")
    assert shown["participant_sid"] != seat.member["sid"]


def test_conversations_are_listed_in_the_order_in_which_the_user_joined(
    server: Server, form_api: Api
) -> None:
    identity = unique("joiner")
    conversations = [ConversationClient.make(server, form_api) for _ in range(5)]
    joined = [conversations[place] for place in (3, 0, 4, 2, 1)]
    for conversation in joined:
        conversation.chat(identity)
    path: str | None = f"/Users/{identity}/Conversations?PageSize=2"
    found = []
    while path is not None:
        page = form_api.get(path).expect(200)
        assert page["meta"]["key"] == "conversations"
        found += [each["conversation_sid"] for each in page["conversations"]]
        path = page["meta"]["next_page_url"]
    assert found == [conversation.sid for conversation in joined]
    last = form_api.get(page["meta"]["previous_page_url"]).expect(200)
    assert [each["conversation_sid"] for each in last["conversations"]] == found[2:4]
    assert (
        form_api.get(f"/Users/{identity}/Conversations", PageSize=99).json["meta"]["page_size"]
        == 50
    )


def test_creating_is_not_supported(seat: Seat) -> None:
    seat.api.post(f"/Users/{seat.identity}/Conversations").refuses(405, 20004)
