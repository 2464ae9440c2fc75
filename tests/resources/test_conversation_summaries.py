"""Summaries of conversations: the list of a console, with counts and last messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary import limits
from tests.resources.conversation_setup import at, make
from tests.resources.media_setup import MediaClient
from tests.resources.settings_setup import NOWHERE, new_account_api, new_service_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

SUMMARIES = "/parlour/v1/ConversationSummaries"
NO_CONVERSATION = "CH" + "0" * 31 + "1"


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """A separate account."""
    api = new_account_api(server)
    yield api
    api.close()


def summaries(api: Api, **query: Any) -> list[dict[str, Any]]:
    """Return the first page of summaries."""
    found: list[dict[str, Any]] = api.get(SUMMARIES, query).expect(200)["conversation_summaries"]
    return found


def sids_of(found: list[dict[str, Any]]) -> list[str]:
    """Return the SIDs of summaries, in their order."""
    return [each["sid"] for each in found]


def test_a_summary_has_counts_and_the_last_message(own: Api) -> None:
    made = make(own, {"FriendlyName": "Order 1", "UniqueName": "order-1"})
    for identity in ("alice", "bob"):
        own.post(f"{at(made)}/Participants", Identity=identity).expect(201)
    own.post(f"{at(made)}/Messages", Author="alice", Body="first").expect(201)
    body = "é" * (limits.SUMMARY_BODY_CHARS_MAX + 40)
    last = own.post(f"{at(made)}/Messages", Author="bob", Body=body).expect(201)
    (shown,) = summaries(own)
    service = f"{own.base_url}/v1/Services/{made['chat_service_sid']}"
    url = f"{service}/Conversations/{made['sid']}"
    activity = shown.pop("last_activity")
    assert activity == shown["last_message"].pop("date_created")
    assert activity.startswith(last["date_created"][:-1])
    for name in ("date_created", "date_updated"):
        assert shown.pop(name).startswith(made[name][:-1])
    assert shown == {
        "sid": made["sid"],
        "account_sid": own.sid,
        "chat_service_sid": made["chat_service_sid"],
        "friendly_name": "Order 1",
        "unique_name": "order-1",
        "state": "active",
        "participants_count": 2,
        "messages_count": 2,
        "last_message": {
            "sid": last["sid"],
            "index": 1,
            "author": "bob",
            "body": body[: limits.SUMMARY_BODY_CHARS_MAX],
            "has_media": False,
        },
        "url": url,
        "links": {
            "participants": f"{url}/Participants",
            "messages": f"{url}/Messages",
            "webhooks": f"{url}/Webhooks",
        },
    }
    assert own.get(shown["url"]).expect(200)["sid"] == made["sid"]


def test_a_removed_message_is_neither_counted_nor_the_last(own: Api) -> None:
    made = make(own)
    first = own.post(f"{at(made)}/Messages", Body="first").expect(201)
    last = own.post(f"{at(made)}/Messages", Body="last").expect(201)
    own.delete(f"{at(made)}/Messages/{last['sid']}").expect(204)
    (shown,) = summaries(own)
    assert (shown["messages_count"], shown["last_message"]["sid"]) == (1, first["sid"])
    own.delete(f"{at(made)}/Messages/{first['sid']}").expect(204)
    (shown,) = summaries(own)
    assert (shown["messages_count"], shown["last_message"]) == (0, None)
    own.delete(at(made)).expect(204)
    assert summaries(own) == []


def test_a_message_with_media_has_no_body(server: Server, own: Api) -> None:
    made = make(own)
    medium = MediaClient.of_account(server, own, made["chat_service_sid"]).add()
    own.post(f"{at(made)}/Messages", MediaSid=medium["sid"]).expect(201)
    (shown,) = summaries(own)
    assert (shown["last_message"]["body"], shown["last_message"]["has_media"]) == (None, True)


def test_they_are_ordered_by_last_activity_and_paged(own: Api) -> None:
    made = [make(own) for _ in range(5)]
    own.post(f"{at(made[1])}/Messages", Body="x").expect(201)
    expected = [made[number]["sid"] for number in (1, 4, 3, 2, 0)]
    assert sids_of(summaries(own)) == expected
    page = own.get(SUMMARIES, PageSize=2).expect(200)
    following = own.get(page["meta"]["next_page_url"]).expect(200)
    found = page["conversation_summaries"] + following["conversation_summaries"]
    assert sids_of(found) == expected[:4]
    previous = own.get(following["meta"]["previous_page_url"]).expect(200)
    assert previous["conversation_summaries"] == page["conversation_summaries"]
    widest = own.get(SUMMARIES, PageSize=1000).expect(200)
    assert widest["meta"]["page_size"] == limits.PAGE_SIZE_SUMMARIES_MAX


def test_filters_are_those_of_the_list_of_conversations(own: Api) -> None:
    made = [make(own) for _ in range(3)]
    own.post(at(made[0]), State="closed").expect(200)
    for query in (
        {"State": "closed"},
        {"State": "active"},
        {"StartDate": "2020-01-01"},
        {"EndDate": "2020-01-01"},
        {"State": "active", "StartDate": "2020-01-01", "EndDate": "2099-01-01"},
    ):
        expected = sids_of(own.get("/Conversations", query).expect(200)["conversations"])
        assert sids_of(summaries(own, **query)) == expected
    own.get(SUMMARIES, StartDate="2026-01-02", EndDate="2026-01-01").refuses(400, 50396)
    own.get(SUMMARIES, State="gone").refuses(400, 20001)


def test_one_service_is_listed_or_conversations_of_any_by_their_sids(own: Api) -> None:
    second = new_service_api(own)
    made, elsewhere = make(own), make(second)
    assert sids_of(summaries(own)) == [made["sid"]]
    service_sid = elsewhere["chat_service_sid"]
    assert sids_of(summaries(own, ServiceSid=service_sid)) == [elsewhere["sid"]]
    # The SIDs are in upper case, one repeatedly, and one is of no conversation.
    asked = [made["sid"], "CH" + elsewhere["sid"][2:].upper(), made["sid"], NO_CONVERSATION]
    found = summaries(own, Sid=asked)
    assert sids_of(found) == [elsewhere["sid"], made["sid"]]
    assert [each["chat_service_sid"] for each in found] == [service_sid, made["chat_service_sid"]]
    page = own.get(SUMMARIES, Sid=asked, PageSize=1).expect(200)
    assert sids_of(page["conversation_summaries"]) == [elsewhere["sid"]]
    following = own.get(page["meta"]["next_page_url"]).expect(200)
    assert sids_of(following["conversation_summaries"]) == [made["sid"]]
    own.delete(f"/v1/Services/{service_sid}").expect(204)
    assert sids_of(summaries(own, Sid=asked)) == [made["sid"]]
    own.get(SUMMARIES, ServiceSid=service_sid).refuses(400, 50050)


def test_wrong_filters_are_refused(own: Api, foreign_api: Api) -> None:
    sid = make(own)["sid"]
    assert summaries(foreign_api, Sid=sid) == []
    own.get(SUMMARIES, ServiceSid=NOWHERE["IS"]).refuses(400, 50050)
    own.get(SUMMARIES, ServiceSid="default").refuses(400, 20001)
    own.get(SUMMARIES, Sid="order-1").refuses(400, 20001)
    own.get(SUMMARIES, Sid=sid, State="active").refuses(400, 20001)
    own.get(SUMMARIES, Sid=sid, ServiceSid=NOWHERE["IS"]).refuses(400, 20001)
    many = [f"CH{number:032}" for number in range(limits.SUMMARY_SIDS_MAX + 1)]
    assert summaries(own, Sid=many[:-1]) == []
    own.get(SUMMARIES, Sid=many).refuses(400, 20001)


def test_the_first_page_shows_the_position_in_the_event_feed(own: Api) -> None:
    made = make(own)
    asked = {"Parlour-Event-Cursor": "?1"}
    answer = own.get(SUMMARIES, headers=asked)
    cursor = answer.headers["parlour-event-cursor"]
    own.post(f"{at(made)}/Messages", Body="x").expect(201)
    events = own.get("/parlour/v1/Events", After=cursor, Wait=30).expect(200)["events"]
    assert [each["event_type"] for each in events] == ["onMessageAdded"]
    assert "parlour-event-cursor" not in own.get(SUMMARIES).headers
