"""Lists of conversations: order, pages, and filters by state and date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.conversation_setup import at, make

if TYPE_CHECKING:
    from tests.resources.conversation_setup import Conversation
    from tests.support.client import Api


@pytest.fixture
def own(api: Api) -> Api:
    """A separate service, for tests of complete lists."""
    return api.service(api.post("/Services", FriendlyName="Own").expect(201)["sid"])


def pages_of(api: Api, path: str, **query: Any) -> list[str]:
    """Return the sids of all pages, forwards, each page checked against the way back."""
    sids: list[str] = []
    before: list[Conversation] | None = None
    answer = api.get(path, query).expect(200)
    while True:
        sids += [each["sid"] for each in answer["conversations"]]
        if before is not None:
            back = api.get(answer["meta"]["previous_page_url"]).expect(200)
            assert back["conversations"] == before
        before = answer["conversations"]
        if answer["meta"]["next_page_url"] is None:
            return sids
        answer = api.get(answer["meta"]["next_page_url"]).expect(200)


def test_the_conversation_with_the_newest_message_comes_first(own: Api) -> None:
    made = [make(own) for _ in range(5)]
    assert pages_of(own, "/Conversations", PageSize=2) == [each["sid"] for each in made[::-1]]
    for place in (1, 3):
        own.post(f"{at(made[place])}/Messages", Body="x").expect(201)
    own.post(at(made[0]), FriendlyName="no activity").expect(200)
    expected = [made[place]["sid"] for place in (3, 1, 4, 2, 0)]
    assert pages_of(own, "/Conversations", PageSize=2) == expected


def test_a_page_has_its_metadata(own: Api) -> None:
    made = [make(own) for _ in range(3)]
    url = f"{own.base_url}{own.prefix}/Conversations"
    page = own.get("/Conversations", PageSize=2).expect(200)
    meta = page["meta"]
    assert list(meta) == [
        "page", "page_size", "first_page_url", "previous_page_url", "url", "next_page_url", "key",
    ]  # fmt: skip
    assert (meta["page"], meta["page_size"], meta["key"]) == (0, 2, "conversations")
    assert meta["first_page_url"] == meta["url"] == f"{url}?PageSize=2&Page=0"
    assert meta["previous_page_url"] is None
    assert meta["next_page_url"].startswith(f"{url}?PageSize=2&Page=1&PageToken=PT")
    assert made[1]["sid"] in meta["next_page_url"]
    assert own.get("/Conversations", PageSize=1000).json["meta"]["page_size"] == 100
    assert own.get("/Conversations").json["meta"]["page_size"] == 50


@pytest.mark.parametrize("query", ["PageSize=0", "PageSize=x", "PageSize=-1", "PageToken=PTx"])
def test_a_bad_page_is_refused(form_api: Api, query: str) -> None:
    form_api.get(f"/Conversations?{query}").refuses(400, 20001)


def test_a_page_token_is_valid_for_its_list_only(own: Api, api: Api, foreign_api: Api) -> None:
    for _ in range(3):
        make(own)
    token = own.get("/Conversations", PageSize=1).json["meta"]["next_page_url"]
    token = token.partition("PageToken=")[2]
    own.get("/Conversations", PageSize=1, PageToken=token).expect(200)
    for other in (api, foreign_api):
        other.get("/Conversations", PageSize=1, PageToken=token).refuses(400, 20001)
    own.get("/Conversations", PageSize=1, PageToken=token, State="active").refuses(400, 20001)


def test_dates_filter_by_creation_newest_first(own: Api) -> None:
    days = ["2020-01-03", "2020-01-01", "2020-01-02"]
    made = {day: make(own, {"DateCreated": f"{day}T12:00:00Z"})["sid"] for day in days}
    now = make(own)["sid"]
    ordered = [now, made["2020-01-03"], made["2020-01-02"], made["2020-01-01"]]
    for query, expected in (
        ({"StartDate": "2020-01-01"}, ordered),
        ({"StartDate": "2020-01-02T12:00:00Z"}, ordered[:3]),
        ({"StartDate": "2020-01-02T12:00:01Z"}, ordered[:2]),
        ({"EndDate": "2020-01-02"}, ordered[2:]),
        ({"EndDate": "2020-01-02T12:00:00Z"}, ordered[2:]),
        ({"EndDate": "2020-01-02T11:59:59Z"}, ordered[3:]),
        ({"StartDate": "2020-01-02", "EndDate": "2020-01-02"}, ordered[2:3]),
        ({"StartDate": "2021-01-01", "EndDate": "2021-12-31"}, []),
        ({"StartDate": "2999-01-01"}, []),
    ):
        assert pages_of(own, "/Conversations", PageSize=2, **query) == expected, query


def test_states_filter_and_go_together_with_dates(own: Api) -> None:
    old = {"DateCreated": "2020-01-01T00:00:00Z"}
    active, inactive, closed = make(own, old), make(own), make(own, old)
    own.post(at(inactive), State="inactive").expect(200)
    own.post(at(closed), State="closed").expect(200)
    for query, expected in (
        ({"State": "active"}, [active]),
        ({"State": "Inactive"}, [inactive]),
        ({"State": "closed"}, [closed]),
        ({"State": "initializing"}, []),
        ({"State": "closed", "EndDate": "2021-01-01"}, [closed]),
        ({"State": "inactive", "EndDate": "2021-01-01"}, []),
    ):
        assert pages_of(own, "/Conversations", **query) == [each["sid"] for each in expected]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"StartDate": "2020-01-02", "EndDate": "2020-01-01"}, 50396),
        ({"StartDate": "2020-01-01T00:00:01Z", "EndDate": "2020-01-01T00:00:00Z"}, 50396),
        ({"StartDate": "soon"}, 20001),
        ({"EndDate": "soon"}, 20001),
        ({"State": "open"}, 20001),
    ],
)
def test_a_bad_filter_is_refused(form_api: Api, query: dict[str, str], code: int) -> None:
    form_api.get("/Conversations", query).refuses(400, code)


def test_equal_dates_are_a_second(own: Api) -> None:
    sid = make(own, {"DateCreated": "2020-01-01T00:00:00Z"})["sid"]
    moment = {"StartDate": "2020-01-01T00:00:00Z", "EndDate": "2020-01-01T00:00:00Z"}
    assert pages_of(own, "/Conversations", **moment) == [sid]


def test_a_list_is_complete_while_rows_are_added_and_removed(own: Api) -> None:
    made = [make(own) for _ in range(6)]
    first = own.get("/Conversations", PageSize=2).expect(200)
    own.delete(at(made[4])).expect(204)  # The last one on the first page.
    make(own)
    second = own.get(first["meta"]["next_page_url"]).expect(200)
    assert [each["sid"] for each in second["conversations"]] == [
        made[3]["sid"],
        made[2]["sid"],
    ]
