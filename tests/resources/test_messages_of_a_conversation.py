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
from parlour.resources.participants import store as participant_store
from parlour.store.dialect import for_sqlite
from parlour.store.engines import DATABASE_NAME
from tests.resources.message_setup import MessageClient, execute, rows, seed_media
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server


@pytest.fixture
def talk(server: Server, form_api: Api) -> MessageClient:
    made = MessageClient.make(server, form_api)
    assert isinstance(made, MessageClient)
    return made


# --- States and timers


def test_a_closed_conversation_rejects_messages_and_changes(talk: MessageClient) -> None:
    message = talk.post(Body="x")
    talk.api.post(f"/Conversations/{talk.sid}", State="closed").expect(200)
    talk.refuses_post({"Body": "y"}, 50377)
    talk.refuses_edit(message, {"Body": "y"}, 50377)
    talk.api.delete(f"{talk.messages}/{message['sid']}").refuses(400, 50377)
    assert talk.read(message) == message


def test_an_initializing_conversation_rejects_messages(talk: MessageClient) -> None:
    execute(
        talk.server,
        "UPDATE conversation SET state = 'initializing', pending_participants = NULL WHERE sid = ?",
        talk.sid,
    )
    talk.refuses_post({"Body": "y"}, 50386)


@pytest.mark.parametrize("fires", [False, True])
def test_a_message_wakes_an_inactive_conversation(talk: MessageClient, fires: bool) -> None:
    path = f"/Conversations/{talk.sid}"
    form = {"State": "inactive", "Timers.Inactive": "PT1H", "Timers.Closed": "P7D"}
    timers = talk.api.post(path, form).expect(200)["timers"]
    assert set(timers) == {"date_closed"}
    count_before = len(talk.events())
    headers = {"X-Twilio-Webhook-Enabled": "true"} if fires else {}
    talk.post(Body="x", headers=headers)
    after = talk.api.get(path).expect(200)
    assert (after["state"], set(after["timers"])) == ("active", {"date_inactive", "date_closed"})
    assert talk.events()[count_before:] == [
        ("onMessageAdded", fires),
        ("onConversationStateUpdated", fires),
    ]
    ((payload,),) = rows(
        talk.server,
        "SELECT payload FROM event WHERE conversation_sid = ? AND name = ?"
        " ORDER BY sequence DESC LIMIT 1",
        talk.sid,
        "onConversationStateUpdated",
    )
    payload_json = json.loads(payload)
    assert (payload_json["state_from"], payload_json["reason"]) == ("inactive", "EVENT")
    assert payload_json["conversation"]["next_message_index"] == 1


def test_a_message_restarts_the_timers(talk: MessageClient) -> None:
    path = f"/Conversations/{talk.sid}"
    talk.api.post(path, {"Timers.Inactive": "PT1H", "Timers.Closed": "P7D"}).expect(200)
    execute(
        talk.server,
        "UPDATE conversation SET date_inactive = date_inactive - 600000,"
        " date_closed = date_closed - 600000 WHERE sid = ?",
        talk.sid,
    )
    before = talk.api.get(path).expect(200)
    talk.post(Body="x")
    after = talk.api.get(path).expect(200)
    assert all(after["timers"][name] > before["timers"][name] for name in before["timers"])
    assert after["date_updated"] == before["date_updated"]


def test_the_last_conversation_with_a_message_is_listed_first(talk: MessageClient) -> None:
    later = MessageClient.make(talk.server, talk.api)
    talk.post(Body="x")
    listed = talk.api.get("/Conversations", PageSize=2).expect(200)["conversations"]
    assert [each["sid"] for each in listed] == [talk.sid, later.sid]


# --- Indexes


def test_indexes_grow_and_are_never_given_again(talk: MessageClient) -> None:
    made = [talk.post(Body=str(number)) for number in range(3)]
    assert [each["index"] for each in made] == [0, 1, 2]
    talk.api.delete(f"{talk.messages}/{made[2]['sid']}").expect(204)
    assert talk.post(Body="next")["index"] == 3
    talk.refuses_post({"Author": "x" * 257}, 50310)
    assert talk.post(Body="after a refusal")["index"] == 4


def test_messages_at_the_same_time_get_indexes_without_gaps(talk: MessageClient) -> None:
    with ThreadPoolExecutor(8) as writers:
        made = list(writers.map(lambda number: talk.post(Body=str(number)), range(40)))
    assert sorted(each["index"] for each in made) == list(range(40))
    listed = talk.api.get(talk.messages, PageSize=100).expect(200)["messages"]
    assert {each["sid"]: each["index"] for each in made} == {
        each["sid"]: each["index"] for each in listed
    }


# --- Lists


def test_a_list_is_ordered_by_index_across_pages(talk: MessageClient) -> None:
    for number in range(5):
        talk.post(Body=str(number), DateCreated=f"202{5 - number}-01-01T00:00:00Z")
    assert talk.bodies() == talk.bodies(Order="asc") == list("01234")
    for order in ("desc", "DESC"):
        assert talk.bodies(Order=order) == list("43210")
    for order, expected in (("asc", "01234"), ("desc", "43210")):
        seen: list[str] = []
        page = talk.api.get(talk.messages, Order=order, PageSize=2).expect(200)
        while True:
            seen += [each["body"] for each in page["messages"]]
            if page["meta"]["next_page_url"] is None:
                break
            page = talk.api.get(page["meta"]["next_page_url"]).expect(200)
        assert seen == list(expected)
        back = talk.api.get(page["meta"]["previous_page_url"]).expect(200)
        assert [each["body"] for each in back["messages"]] == list(expected)[2:4]


def test_a_page_of_one_order_is_no_page_of_the_other(talk: MessageClient) -> None:
    for number in range(3):
        talk.post(Body=str(number))
    page = talk.api.get(talk.messages, Order="desc", PageSize=1).expect(200)
    url = page["meta"]["next_page_url"].replace("Order=desc", "Order=asc")
    talk.api.get(url).refuses(400, 20001)


@pytest.mark.parametrize("order", ["up", "", "ascending"])
def test_an_unknown_order_is_refused(talk: MessageClient, order: str) -> None:
    talk.api.get(talk.messages, Order=order).refuses(400, 20001)


def test_at_most_a_hundred_messages_are_on_a_page(talk: MessageClient) -> None:
    meta = talk.api.get(talk.messages, PageSize=1000).expect(200)["meta"]
    assert (meta["page_size"], meta["key"]) == (100, "messages")
    assert talk.api.get(talk.messages).expect(200)["meta"]["page_size"] == 50


# --- Fetch, update, delete


@pytest.mark.promise("50500", 20404)
def test_a_message_is_found_in_its_conversation_by_its_sid_only(
    talk: MessageClient, foreign_api: Api
) -> None:
    talk.api.post(f"/Conversations/{talk.sid}", UniqueName=f"name of {talk.sid[2:]}").expect(200)
    message = talk.post(Body="x")
    sid = message["sid"]
    named = f"/Conversations/name of {talk.sid[2:]}/Messages/{sid[:2]}{sid[2:].upper()}"
    assert talk.api.get(named).expect(200) == message
    other = MessageClient.make(talk.server, talk.api)
    for path in (
        f"{talk.messages}/0",
        f"{talk.messages}/IM{'0' * 32}",
        f"/Conversations/{other.sid}/Messages/{sid}",
        f"/Conversations/nope/Messages/{sid}",
    ):
        talk.api.get(path).refuses(404, 20404)
        talk.api.post(path, Body="y").refuses(404, 20404)
        talk.api.delete(path).refuses(404, 20404)
    foreign_api.get(f"{talk.messages}/{sid}").refuses(404, 20404)
    foreign_api.get(talk.messages).refuses(404, 20404)
    assert talk.read(message) == message


def test_an_update_changes_the_given_parameters_and_the_date(talk: MessageClient) -> None:
    alice = talk.chat("alice")
    message = talk.post(Body="before", Attributes='{"a":1}', DateCreated="2020-01-01T00:00:00Z")
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
        before = talk.read(message)
        after = talk.edit(message, form).expect(200)
        assert after == {**before, "date_updated": after["date_updated"], **expected}
        assert "DateUpdated" in form or after["date_updated"] > "2025"
        assert talk.read(message) == after


@pytest.mark.parametrize("form", [{}, {"MediaSid": "ME12"}, {"body": "x"}])
def test_an_empty_update_is_rejected(talk: MessageClient, form: dict[str, str]) -> None:
    talk.refuses_edit(talk.post(Body="x"), form, 20161)


def test_a_message_is_deleted_with_its_receipts_and_media(talk: MessageClient) -> None:
    talk.phone()
    media_sid = seed_media(talk.server, talk.account_sid, talk.service_sid)
    remaining = talk.post(Body="kept")
    message = talk.post(MediaSid=media_sid)
    path = f"{talk.messages}/{message['sid']}"
    talk.settle()
    assert len(talk.receipts(message)) == 1
    assert talk.api.delete(path).expect(204) is None
    talk.api.delete(path).refuses(404, 20404)
    talk.api.get(path).refuses(404, 20404)
    talk.api.get(f"{path}/Receipts").refuses(404, 20404)
    assert talk.bodies() == ["kept"]
    sql = "SELECT COUNT(*) FROM receipt WHERE message_sid = ?"
    assert rows(talk.server, sql, message["sid"]) == [(0,)]
    # A medium is hidden at once, and deleted when its file is.
    sql = "SELECT COUNT(*) FROM media WHERE message_sid = ?"
    eventually(lambda: rows(talk.server, sql, message["sid"]), lambda found: found == [(0,)])
    assert len(talk.receipts(remaining)) == 1


def test_no_message_has_channel_metadata(talk: MessageClient) -> None:
    message = talk.post(Body="x")
    talk.api.get(message["links"]["channel_metadata"]).refuses(404, 50530)
    talk.api.get(f"{talk.messages}/IM{'0' * 32}/ChannelMetadata").refuses(404, 20404)


def test_each_change_of_a_message_is_one_event(talk: MessageClient) -> None:
    headers = {"X-Twilio-Webhook-Enabled": "true"}
    message = talk.post(Body="x", headers=headers)
    talk.edit(message, Body="y").expect(200)
    talk.edit(message, Body="z", headers=headers).expect(200)
    talk.api.delete(f"{talk.messages}/{message['sid']}", headers=headers).expect(204)
    assert talk.events()[1:] == [
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
        (message_receipt_store.FETCH_PENDING, ["receipt_order"]),
        (
            conversation_store.TABLE.statements["update_changes"],
            ["sqlite_autoindex_conversation_1"],
        ),
    ],
)
def test_a_message_costs_the_same_among_many(
    server: Server, statement: str, indexes: list[str]
) -> None:
    text = for_sqlite(statement)
    values = [None] * len(set(re.findall(r"\?\d+", text)))
    # With the server's library: an older one sorts where it expects a single row.
    with closing(apsw.Connection(str(server.data_dir / DATABASE_NAME))) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    used = {found[1] for step in plan for found in re.finditer(r"INDEX (\w+) \(account_sid", step)}
    assert used == set(indexes), plan
    assert not [step for step in plan if "SCAN" in step or "TEMP B-TREE" in step], plan
