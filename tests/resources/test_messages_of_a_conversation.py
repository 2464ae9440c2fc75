"""Messages of a conversation: states, indexes, lists, changes, and their cost."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import apsw
import pytest

from parlour.resources.conversations import store as conversation_store
from parlour.resources.messages import receipt_store as message_receipt_store
from parlour.resources.messages import store as message_store
from parlour.resources.outbox import store as outbox_store
from parlour.resources.participants import store as participant_store
from parlour.store.dialect import for_sqlite
from parlour.store.engines import DATABASE_NAME
from tests.resources.message_setup import MessageClient, execute, rows, seed_media
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server


@pytest.fixture
def conversation(server: Server, form_api: Api) -> MessageClient:
    made = MessageClient.make(server, form_api)
    assert isinstance(made, MessageClient)
    return made


# --- States and timers


def test_a_closed_conversation_rejects_messages_and_changes(conversation: MessageClient) -> None:
    message = conversation.post(Body="x")
    conversation.api.post(f"/Conversations/{conversation.sid}", State="closed").expect(200)
    conversation.refuses_post({"Body": "y"}, 50377)
    conversation.refuses_edit(message, {"Body": "y"}, 50377)
    conversation.api.delete(f"{conversation.messages}/{message['sid']}").refuses(400, 50377)
    assert conversation.read(message) == message


def test_an_initializing_conversation_rejects_messages(conversation: MessageClient) -> None:
    execute(
        conversation.server,
        "UPDATE conversation SET state = 'initializing', pending_participants = NULL WHERE sid = ?",
        conversation.sid,
    )
    conversation.refuses_post({"Body": "y"}, 50386)


@pytest.mark.parametrize("fires", [False, True])
def test_a_message_wakes_an_inactive_conversation(conversation: MessageClient, fires: bool) -> None:
    path = f"/Conversations/{conversation.sid}"
    form = {"State": "inactive", "Timers.Inactive": "PT1H", "Timers.Closed": "P7D"}
    timers = conversation.api.post(path, form).expect(200)["timers"]
    assert set(timers) == {"date_closed"}
    count_before = len(conversation.events())
    headers = {"X-Twilio-Webhook-Enabled": "true"} if fires else {}
    conversation.post(Body="x", headers=headers)
    after = conversation.api.get(path).expect(200)
    assert (after["state"], set(after["timers"])) == ("active", {"date_inactive", "date_closed"})
    assert conversation.events()[count_before:] == [
        ("onMessageAdded", fires),
        ("onConversationStateUpdated", fires),
    ]
    ((payload,),) = rows(
        conversation.server,
        "SELECT payload FROM event WHERE conversation_sid = ? AND name = ?"
        " ORDER BY sequence DESC LIMIT 1",
        conversation.sid,
        "onConversationStateUpdated",
    )
    payload_json = json.loads(payload)
    assert (payload_json["state_from"], payload_json["reason"]) == ("inactive", "EVENT")
    assert payload_json["conversation"]["next_message_index"] == 1


def test_a_message_restarts_the_timers(conversation: MessageClient) -> None:
    path = f"/Conversations/{conversation.sid}"
    conversation.api.post(path, {"Timers.Inactive": "PT1H", "Timers.Closed": "P7D"}).expect(200)
    execute(
        conversation.server,
        "UPDATE conversation SET date_inactive = date_inactive - 600000,"
        " date_closed = date_closed - 600000 WHERE sid = ?",
        conversation.sid,
    )
    before = conversation.api.get(path).expect(200)
    conversation.post(Body="x")
    after = conversation.api.get(path).expect(200)
    assert all(after["timers"][name] > before["timers"][name] for name in before["timers"])
    assert after["date_updated"] == before["date_updated"]


def test_the_last_conversation_with_a_message_is_listed_first(conversation: MessageClient) -> None:
    later = MessageClient.make(conversation.server, conversation.api)
    conversation.post(Body="x")
    listed = conversation.api.get("/Conversations", PageSize=2).expect(200)["conversations"]
    assert [each["sid"] for each in listed] == [conversation.sid, later.sid]


# --- Indexes


def test_indexes_grow_and_are_never_given_again(conversation: MessageClient) -> None:
    made = [conversation.post(Body=str(number)) for number in range(3)]
    assert [each["index"] for each in made] == [0, 1, 2]
    conversation.api.delete(f"{conversation.messages}/{made[2]['sid']}").expect(204)
    assert conversation.post(Body="next")["index"] == 3
    conversation.refuses_post({"Author": "x" * 257}, 50310)
    assert conversation.post(Body="after a refusal")["index"] == 4


def test_messages_at_the_same_time_get_indexes_without_gaps(conversation: MessageClient) -> None:
    with ThreadPoolExecutor(8) as writers:
        made = list(writers.map(lambda number: conversation.post(Body=str(number)), range(40)))
    assert sorted(each["index"] for each in made) == list(range(40))
    listed = conversation.api.get(conversation.messages, PageSize=100).expect(200)["messages"]
    assert {each["sid"]: each["index"] for each in made} == {
        each["sid"]: each["index"] for each in listed
    }


# --- Lists


def test_a_list_is_ordered_by_index_across_pages(conversation: MessageClient) -> None:
    for number in range(5):
        conversation.post(Body=str(number), DateCreated=f"202{5 - number}-01-01T00:00:00Z")
    assert conversation.bodies() == conversation.bodies(Order="asc") == list("01234")
    for order in ("desc", "DESC"):
        assert conversation.bodies(Order=order) == list("43210")
    for order, expected in (("asc", "01234"), ("desc", "43210")):
        seen: list[str] = []
        page = conversation.api.get(conversation.messages, Order=order, PageSize=2).expect(200)
        while True:
            seen += [each["body"] for each in page["messages"]]
            if page["meta"]["next_page_url"] is None:
                break
            page = conversation.api.get(page["meta"]["next_page_url"]).expect(200)
        assert seen == list(expected)
        back = conversation.api.get(page["meta"]["previous_page_url"]).expect(200)
        assert [each["body"] for each in back["messages"]] == list(expected)[2:4]


def test_a_page_of_one_order_is_no_page_of_the_other(conversation: MessageClient) -> None:
    for number in range(3):
        conversation.post(Body=str(number))
    page = conversation.api.get(conversation.messages, Order="desc", PageSize=1).expect(200)
    url = page["meta"]["next_page_url"].replace("Order=desc", "Order=asc")
    conversation.api.get(url).refuses(400, 20001)


@pytest.mark.parametrize("order", ["up", "", "ascending"])
def test_an_unknown_order_is_refused(conversation: MessageClient, order: str) -> None:
    conversation.api.get(conversation.messages, Order=order).refuses(400, 20001)


def test_at_most_a_hundred_messages_are_on_a_page(conversation: MessageClient) -> None:
    meta = conversation.api.get(conversation.messages, PageSize=1000).expect(200)["meta"]
    assert (meta["page_size"], meta["key"]) == (100, "messages")
    assert conversation.api.get(conversation.messages).expect(200)["meta"]["page_size"] == 50


# --- Fetch, update, delete


@pytest.mark.promise("50500", 20404)
def test_a_message_is_found_in_its_conversation_by_its_sid_only(
    conversation: MessageClient, foreign_api: Api
) -> None:
    conversation.api.post(
        f"/Conversations/{conversation.sid}", UniqueName=f"name of {conversation.sid[2:]}"
    ).expect(200)
    message = conversation.post(Body="x")
    sid = message["sid"]
    named = f"/Conversations/name of {conversation.sid[2:]}/Messages/{sid[:2]}{sid[2:].upper()}"
    assert conversation.api.get(named).expect(200) == message
    other = MessageClient.make(conversation.server, conversation.api)
    for path in (
        f"{conversation.messages}/0",
        f"{conversation.messages}/IM{'0' * 32}",
        f"/Conversations/{other.sid}/Messages/{sid}",
        f"/Conversations/nope/Messages/{sid}",
    ):
        conversation.api.get(path).refuses(404, 20404)
        conversation.api.post(path, Body="y").refuses(404, 20404)
        conversation.api.delete(path).refuses(404, 20404)
    foreign_api.get(f"{conversation.messages}/{sid}").refuses(404, 20404)
    foreign_api.get(conversation.messages).refuses(404, 20404)
    assert conversation.read(message) == message


def test_an_update_changes_the_given_parameters_and_the_date(conversation: MessageClient) -> None:
    alice = conversation.chat("alice")
    message = conversation.post(
        Body="before", Attributes='{"a":1}', DateCreated="2020-01-01T00:00:00Z"
    )
    for form, expected in (
        ({"Body": "after"}, {"body": "after"}),
        ({"Body": ""}, {"body": ""}),
        ({"Attributes": "[ 1 ]"}, {"attributes": "[ 1 ]"}),
        ({"Attributes": ""}, {"attributes": "{}"}),
        ({"Author": "alice"}, {"author": "alice", "participant_sid": alice["sid"]}),
        ({"Author": "eve"}, {"author": "eve", "participant_sid": None}),
        ({"Subject": "x"}, {}),
        ({"DateCreated": "2019-05-04T09:42:00Z"}, {"date_created": "2019-05-04T09:42:00Z"}),
        ({"DateUpdated": "2021-05-04T09:42:00Z"}, {"date_updated": "2021-05-04T09:42:00Z"}),
    ):
        before = conversation.read(message)
        after = conversation.edit(message, form).expect(200)
        assert after == {**before, "date_updated": after["date_updated"], **expected}
        assert "DateUpdated" in form or after["date_updated"] > "2025"
        assert conversation.read(message) == after


@pytest.mark.parametrize("form", [{}, {"MediaSid": "ME12"}, {"body": "x"}])
def test_an_empty_update_is_rejected(conversation: MessageClient, form: dict[str, str]) -> None:
    conversation.refuses_edit(conversation.post(Body="x"), form, 20161)


def test_a_message_is_deleted_with_its_receipts_and_media(conversation: MessageClient) -> None:
    conversation.phone()
    media_sid = seed_media(conversation.server, conversation.account_sid, conversation.service_sid)
    remaining = conversation.post(Body="kept")
    message = conversation.post(MediaSid=media_sid)
    path = f"{conversation.messages}/{message['sid']}"
    conversation.settle()
    assert len(conversation.receipts(message)) == 1
    assert conversation.api.delete(path).expect(204) is None
    conversation.api.delete(path).refuses(404, 20404)
    conversation.api.get(path).refuses(404, 20404)
    conversation.api.get(f"{path}/Receipts").refuses(404, 20404)
    assert conversation.bodies() == ["kept"]
    sql = "SELECT COUNT(*) FROM receipt WHERE message_sid = ?"
    assert rows(conversation.server, sql, message["sid"]) == [(0,)]
    # A medium is hidden at once, and deleted when its file is.
    sql = "SELECT COUNT(*) FROM media WHERE message_sid = ?"
    eventually(
        lambda: rows(conversation.server, sql, message["sid"]), lambda found: found == [(0,)]
    )
    assert len(conversation.receipts(remaining)) == 1


def test_no_message_has_channel_metadata(conversation: MessageClient) -> None:
    message = conversation.post(Body="x")
    conversation.api.get(message["links"]["channel_metadata"]).refuses(404, 50530)
    conversation.api.get(f"{conversation.messages}/IM{'0' * 32}/ChannelMetadata").refuses(
        404, 20404
    )


def test_each_change_of_a_message_is_one_event(conversation: MessageClient) -> None:
    headers = {"X-Twilio-Webhook-Enabled": "true"}
    message = conversation.post(Body="x", headers=headers)
    conversation.edit(message, Body="y").expect(200)
    conversation.edit(message, Body="z", headers=headers).expect(200)
    conversation.api.delete(f"{conversation.messages}/{message['sid']}", headers=headers).expect(
        204
    )
    assert conversation.events()[1:] == [
        ("onMessageAdded", True),
        ("onMessageUpdated", False),
        ("onMessageUpdated", True),
        ("onMessageRemoved", True),
    ]


# --- What it costs


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("statement", "indexes"),
    [
        (participant_store.LIST_AUTHOR_AND_BOUND, ["participant_bound", "participant_identity"]),
        (message_store.LIST_ASCENDING.first, ["sqlite_autoindex_message_1"]),
        (message_store.LIST_DESCENDING.backward, ["sqlite_autoindex_message_1"]),
        (message_store.TABLE.statements["find"], ["message_sid"]),
        (message_store.TABLE.statements["update"], ["message_sid"]),
        (message_receipt_store.LIST.forward, ["receipt_order"]),
        (outbox_store.INSERT, ["submission_lane"]),
        (
            conversation_store.TABLE.statements["update_changes"],
            ["sqlite_autoindex_conversation_1"],
        ),
    ],
)
@pytest.mark.parametrize("has_statistics", [False, True], ids=["new", "analyzed"])
def test_a_message_costs_the_same_among_many(
    server: Server, statement: str, indexes: list[str], *, has_statistics: bool
) -> None:
    text = for_sqlite(statement)
    values = [None] * len(set(re.findall(r"\?\d+", text)))
    with closing(empty_copy(server)) as connection:
        if has_statistics:
            plant_statistics(connection)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    used = {found[1] for step in plan for found in re.finditer(r"INDEX (\w+) \(account_sid", step)}
    assert used == set(indexes), plan
    assert not [step for step in plan if "SCAN" in step or "TEMP B-TREE" in step], plan


def empty_copy(server: Server) -> apsw.Connection:
    """The server's schema without its rows, and without the statistics that it has by chance.

    In the server's library: an older one sorts where it expects a single row.
    """
    copy = apsw.Connection(":memory:")
    with closing(apsw.Connection(str(server.data_dir / DATABASE_NAME))) as connection:
        created = "SELECT sql FROM sqlite_schema WHERE sql NOT NULL AND name NOT LIKE 'sqlite_%'"
        for (text,) in connection.execute(created):
            copy.execute(text)
    return copy


def plant_statistics(connection: apsw.Connection) -> None:
    """Statistics of many small groups of phones among conversations of two chat participants.

    By them an index of the phones alone has more rows for each conversation than one of all.
    """
    connection.execute("ANALYZE")
    connection.executemany(
        "INSERT INTO sqlite_stat1 VALUES ('participant', ?, ?)",
        [
            ("sqlite_autoindex_participant_1", "4000 4000 1"),
            ("participant_order", "4000 4000 4 2 1"),
            ("participant_identity", "2000 2000 2 1"),
            ("participant_bound", "2000 2000 10 2 1"),
        ],
    )
    connection.execute("ANALYZE sqlite_schema")  # Load them.
